"""`srl-swe score PAIRS.jsonl`: rewards of actions or whole replies against experts, with the blocks that match."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from srl_swe_envs.actions import canonical_text
from srl_swe_envs.dialects import DIALECTS, parse_reply
from srl_swe_envs.errors import MalformedReply, TrajectoryFormatError
from srl_swe_envs.rewards.score import MALFORMED_VALUE
from srl_swe_envs.rewards.similarity import matching_blocks, similarity
from srl_swe_envs.trajectories import action_from_json

from .output import whole_file

_HELP = """Each line of PAIRS is a JSON object with `expert` (a text, or an action such as
{"kind": "Shell", "command": "ls"}) and either `action` (likewise) or `reply` (a model's whole reply). The output has
one line per pair: reward, similarity, status, reason, and blocks [start in action, start in expert, length]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.description = _HELP
    parser.add_argument("pairs", help="JSON Lines file, or - for standard input")
    parser.add_argument("-o", "--output", type=Path, help="where the scores go (default: standard output)")
    parser.add_argument("--dialect", choices=tuple(DIALECTS), default="xml", help="how replies are written")
    parser.add_argument("--autojunk", action="store_true", help="difflib's default heuristic, off otherwise")


def run(args: argparse.Namespace) -> int:
    """Score every pair."""
    with _opened(args.pairs) as source, whole_file(args.output) if args.output else nullcontext(sys.stdout) as sink:
        for line in _scored(source, args.pairs, args.dialect, args.autojunk):
            sink.write(json.dumps(line) + "\n")
    return 0


def _opened(place: str) -> Any:
    if place == "-":
        return nullcontext(sys.stdin)
    try:
        return Path(place).open("rb")
    except OSError as error:
        raise TrajectoryFormatError(f"{place}: can't be read: {error.strerror}") from error


def _scored(lines: Iterable[str | bytes], name: str, dialect: str, autojunk: bool) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pair = json.loads(line)
            expert = _text(pair["expert"])
            reply = pair.get("reply", "")
            if not isinstance(reply, str):
                raise TypeError(f"reply: text is expected, not {type(reply).__name__}")
            action = None if "reply" in pair else _text(pair["action"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrajectoryFormatError(
                f"{name}:{number}: needs `expert`, and `action` or `reply`: {type(error).__name__}: {error}"
            ) from error
        yield _score(action, reply, expert, dialect, autojunk)


def _score(action: str | None, reply: str, expert: str, dialect: str, autojunk: bool) -> dict[str, Any]:
    if action is None:
        try:
            action = canonical_text(parse_reply(reply, dialect).action)
        except MalformedReply as error:
            return {"reward": MALFORMED_VALUE, "similarity": None, "status": "malformed", "reason": error.reason}
    value = similarity(action, expert, autojunk=autojunk)
    blocks = [list(block) for block in matching_blocks(action, expert, autojunk=autojunk)]
    return {"reward": value, "similarity": value, "status": "scored", "reason": "", "blocks": blocks}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return canonical_text(action_from_json(value))
    if not isinstance(value, str):
        raise TypeError(f"text or an action is expected, not {type(value).__name__}")
    return value

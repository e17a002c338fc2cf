"""The `oracle` protocol: the files of the reference fix are given, one reply repairs them (the paper's first column).

As `repair.py` of Agentless-Mini does it: whole files in one user message, no system message, files added until
60,000 tokens (the first is sent in any case), a reply of at most 4,096 tokens. With thinking, only what stands in
`<solution>` names the files; the edits themselves are read again from the whole reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

from ...conversations import Message
from ...policies.protocol import Policy, Sampling
from ...rollout import Rollout, RolloutTurn, reply_turn
from ..items import Item
from .agentless_prompts import REPAIR
from .search_replace import apply_edits, edited_paths

MAX_INPUT_TOKENS = 60_000
CHARS_PER_TOKEN = 4

QUIRKS = (
    "no system message is sent",
    f"files are added to the prompt up to {MAX_INPUT_TOKENS} tokens, the first in any case; a token is counted as "
    f"{CHARS_PER_TOKEN} characters here, by the model's tokenizer upstream",
    "only edits in blocks fenced as ```python count",
    "SEARCH text is found anywhere in a file, not only at a line's start, and every occurrence is replaced",
    "a result with a syntax error, or with other blank lines only, gives no patch",
    "edits are read from the whole reply, thinking included; only the files they may touch come from <solution>",
    "a prompt longer than the server's context gives an empty patch",
)
"""What Agentless-Mini as released does that one would not guess, and that changes scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleProtocol:
    """One reply over the reference fix's own files."""

    open_workspace: Callable[[Task], Workspace]
    thinking: bool = False
    """Whether the reply's answer stands in `<solution>` tags."""
    max_tokens: int = 4096
    name: str = "oracle"

    @property
    def quirks(self) -> tuple[str, ...]:
        """Those of the repair step; the files come from the reference fix, existing `.py` files only."""
        return (*QUIRKS, "the files shown are the existing Python files of the reference fix: the place is given away")

    def solve(self, item: Item, policy: Policy, sampling: Sampling) -> Rollout:
        """One reply."""
        with closing(self.open_workspace(item.task)) as workspace:
            files = read_python(workspace, oracle_files(item.task), item.task.workdir)
            turn, patch = repair(
                workspace, item.task, files, policy, replace(sampling, max_tokens=self.max_tokens), self.thinking
            )
        return Rollout(
            task=item.task.id,
            policy=policy.name,
            turns=(turn,) if turn else (),
            stop="answered",
            patch=patch,
            duration_s=0.0,
        )


def oracle_files(task: Task) -> tuple[str, ...]:
    """The Python files that the reference fix touches (upstream `tools/prepare_gt_files.py`)."""
    return tuple(dict.fromkeys(re.findall(r"^diff --git a/(.*\.py) b/", task.gold_patch, re.MULTILINE)))


def repair(
    workspace: Workspace,
    task: Task,
    files: dict[str, str],
    policy: Policy,
    sampling: Sampling,
    thinking: bool,
) -> tuple[RolloutTurn | None, str]:
    """Ask for edits of some files; the turn and the patch. Nothing is asked where there are no files."""
    if not files:
        return None, ""
    prompt = REPAIR.format(problem_statement=task.problem, content=shown_files(files)).strip()
    completion = policy.complete([Message(role="user", content=prompt)], sampling)
    turn = reply_turn(completion)
    named = edited_paths(solution(completion.text, thinking), files)
    edited = apply_edits(completion.text, {path: files[path] for path in named})
    if edited.problem:
        return replace(turn, malformed="truncated" if completion.finish == "length" else edited.problem), ""
    for path, text in edited.files.items():
        place = f"{task.workdir}/{path}"
        end = "\n" if workspace.read_bytes(place).endswith(b"\n") else ""
        workspace.write_bytes(place, (text + end).encode("utf-8", "surrogateescape"))
    return turn, workspace.diff()


def read_python(workspace: Workspace, paths: Sequence[str], workdir: str) -> dict[str, str]:
    """Texts of those files that exist, without the last newline."""
    texts = {}
    for path in paths:
        try:
            data = workspace.read_bytes(f"{workdir}/{path}")
        except OSError:
            continue
        texts[path] = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    return texts


def shown_files(files: dict[str, str], max_tokens: int = MAX_INPUT_TOKENS) -> str:
    """The files as the prompt shows them: those that fit together, or the first alone."""
    shown: list[str] = []
    used = 0
    for path, text in files.items():
        part = f"### {path}\n{text}"
        tokens = len(part) // CHARS_PER_TOKEN
        if used + tokens > max_tokens:
            continue
        used += tokens
        shown.append(part)
    if not shown:
        path, text = next(iter(files.items()))
        return f"### {path}\n{text}"
    return "\n\n".join(shown)


def solution(reply: str, thinking: bool) -> str:
    """What stands in `<solution>`, where the model thinks first (upstream `utils/api.py: parse_thinking_output`)."""
    if not thinking:
        return reply.strip()
    return reply.split("<solution>", 1)[-1].split("</solution>", 1)[0].strip()

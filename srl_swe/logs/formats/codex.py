"""Codex sessions (`rollout-*.jsonl`): lines of `{timestamp, type, payload}`, of which `response_item` is the session.

`event_msg` lines repeat them for the screen. The working directory is dropped from a call where it is the session's
own, so that it reads as the plain command it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from srl_swe_envs.recorded_toolsets import CODEX

from ..items import ITEM_TYPES, read_items
from ..messages import text_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder

_WRAPPERS = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})
_NOT_TYPED = ("<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<permissions instructions>")
"""Openings of user messages that Codex writes itself."""


def _matches(line: Any) -> bool:
    return isinstance(line, dict) and line.get("type") in _WRAPPERS and isinstance(line.get("payload"), dict)


def _read(lines: Sequence[Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    items, prompt, model, folder = [], "", "", ""
    for line in lines:
        payload = line.get("payload") if isinstance(line, dict) else None
        payload = payload if isinstance(payload, dict) else {}
        kind = line.get("type") if isinstance(line, dict) else None
        if kind in ("session_meta", "turn_context"):
            folder = folder or str(payload.get("cwd") or "")
            model = model or str(payload.get("model") or "")
        if kind == "response_item" and payload.get("type") in ITEM_TYPES and not _is_context(payload):
            items.append(_plain(payload, folder))
            if payload.get("role") == "user":
                prompt = prompt or text_of(payload.get("content"))
        elif kind == "response_item":
            builder.note("context message" if _is_context(payload) else "session event")
        elif kind == "event_msg":
            builder.drop("event for the screen")
        elif kind == "compacted":
            builder.note("context summary")
        else:
            builder.note("session event")
    read_items(items, CODEX, builder)
    return builder.finish(
        source="codex", origin=origin, task=task_of("", prompt, workdir=folder), seen=len(lines), model=model
    )


def _is_context(payload: Mapping[str, Any]) -> bool:
    return payload.get("role") == "user" and text_of(payload.get("content")).lstrip().startswith(_NOT_TYPED)


def _plain(payload: dict[str, Any], folder: str) -> dict[str, Any]:
    """A call without the working directory where it is the session's."""
    arguments = payload.get("arguments")
    if payload.get("type") != "function_call" or not isinstance(arguments, str) or '"workdir"' not in arguments:
        return payload
    try:
        given = json.loads(arguments)
    except ValueError:
        return payload
    if not isinstance(given, dict) or given.get("workdir") != folder:
        return payload
    return {**payload, "arguments": {name: value for name, value in given.items() if name != "workdir"}}


CODEX_SESSION = LogFormat(name="codex", matches=_matches, read=_read, parts="file")

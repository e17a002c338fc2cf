"""Claude Code sessions: one event per line (or `loglines` of the web export), a tree by `parentUuid`.

The session that counts is the path that ends in the last message; replies left by a rewind are dropped, and so are
the lines of sub-agents (`isSidechain`). One API response is spread over several lines with the same `message.id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srl_swe_envs.recorded_toolsets import CLAUDE_CODE

from ..conversation import elided_in, exit_code_of
from ..messages import text_of, tool_call
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought

_LINE_TYPES = frozenset({"user", "assistant", "system", "summary", "attachment", "file-history-snapshot", "progress"})
_NOT_TYPED = ("<system-reminder>", "<command-", "<local-command-", "Caveat: The messages below", "[Request interrupted")
"""Openings of user messages that no user typed."""


def _matches(line: Any) -> bool:
    if not isinstance(line, dict) or line.get("type") not in _LINE_TYPES:
        return False
    return ("sessionId" in line or "uuid" in line or "leafUuid" in line) and "payload" not in line


def _matches_web(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("loglines"), list)


def _read_web(value: dict[str, Any], origin: Origin) -> Reading:
    return _read(value["loglines"], origin)


def _read(lines: Sequence[Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    spoken = [line for line in lines if _is_message(line)]
    builder.note("session event", len(lines) - len(spoken))
    kept = _kept(spoken, lines)
    prompt, seen = "", len(lines) - len(spoken)
    pending: list[Mapping[str, Any]] = []
    for line in spoken:
        seen += max(1, len(_blocks(line, "tool_use")), len(_blocks(line, "tool_result")))
        if reason := _reason_to_drop(line, kept):
            builder.drop(reason, max(1, len(_blocks(line, "tool_use")), len(_blocks(line, "tool_result"))))
        elif line["type"] == "assistant":
            if pending and _response(pending[-1]) != _response(line):
                _close(pending, builder)
            pending.append(line)
        else:
            _close(pending, builder)
            prompt = _read_user(line, prompt, builder)
    _close(pending, builder)
    folder = next((str(line["cwd"]) for line in lines if isinstance(line, dict) and line.get("cwd")), "")
    models = (line["message"].get("model") for line in spoken)
    return builder.finish(
        source="claude_code",
        origin=origin,
        task=task_of("", prompt, workdir=folder),
        seen=seen,
        model=next((str(model) for model in models if model), ""),
    )


def _is_message(line: Any) -> bool:
    return (
        isinstance(line, dict) and line.get("type") in ("user", "assistant") and isinstance(line.get("message"), dict)
    )


def _reason_to_drop(line: Mapping[str, Any], kept: set[int]) -> str:
    if line.get("isSidechain"):
        return "sub-agent"
    if line.get("isCompactSummary"):
        return "context summary"
    if line.get("isMeta"):
        return "message no user typed"
    return "" if id(line) in kept else "abandoned branch"


def _kept(spoken: Sequence[Mapping[str, Any]], lines: Sequence[Any]) -> set[int]:
    """Messages on the path to the last one, the other lines of their responses, and the answers to their calls."""
    main = [line for line in spoken if not line.get("isSidechain")]
    parents: dict[str, str] = {}
    before = ""
    for line in lines:
        if isinstance(line, dict) and line.get("uuid") and not line.get("isSidechain"):
            told = line.get("parentUuid") or line.get("logicalParentUuid") or ""
            parents[line["uuid"]] = told if "parentUuid" in line else before  # stripped logs have no tree
            before = line["uuid"]
    if not parents:
        return {id(line) for line in main}
    path: set[str] = set()
    here = str(main[-1].get("uuid") or "") if main else ""
    while here and here not in path:
        path.add(here)
        here = parents.get(here, "")
    on_path = [line for line in main if line.get("uuid") in path]
    responses = {_response(line) for line in on_path if line["type"] == "assistant"}
    together = [line for line in main if line["type"] == "assistant" and _response(line) in responses]
    calls = {block.get("id") for line in together for block in _blocks(line, "tool_use")}
    answers = [
        line for line in main if any(block.get("tool_use_id") in calls for block in _blocks(line, "tool_result"))
    ]
    return {id(line) for line in (*on_path, *together, *answers)}


def _response(line: Mapping[str, Any]) -> str:
    return str(line["message"].get("id") or line.get("requestId") or line.get("uuid") or id(line))


def _blocks(line: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    content = line["message"].get("content")
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == kind]


def _close(pending: list[Mapping[str, Any]], builder: TurnBuilder) -> None:
    """Give the collected lines of one response to the builder."""
    if not pending:
        return
    texts, actions = [], []
    for line in pending:
        texts += [block.get("thinking") or "" for block in _blocks(line, "thinking")]
        content = line["message"].get("content")
        texts += [content] if isinstance(content, str) else [text_of(block) for block in _blocks(line, "text")]
        calls = [
            (tool_call(str(block["name"]), block.get("input")), block.get("id")) for block in _blocks(line, "tool_use")
        ]
        actions += [(CLAUDE_CODE.read_call(call), call_id) for call, call_id in calls if call is not None]
        builder.dropped["unreadable arguments"] += sum(call is None for call, _ in calls)
    silent = sum(not _blocks(line, "tool_use") for line in pending)
    if actions:
        builder.reply(joined_thought(*texts), actions)
        builder.note("text of a reply", silent)
    else:
        builder.drop("reply without an action", silent)
    pending.clear()


def _read_user(line: Mapping[str, Any], prompt: str, builder: TurnBuilder) -> str:
    results = _blocks(line, "tool_result")
    for block in results:
        text = text_of(block.get("content"))
        builder.observe(
            text, call_id=block.get("tool_use_id"), exit_code=exit_code_of(text), elided_chars=elided_in(text)
        )
    if results:
        return prompt
    text = text_of(line["message"].get("content"))
    if text.lstrip().startswith(_NOT_TYPED):
        builder.drop("message no user typed")
    elif builder.has_turns():
        builder.drop("further user message")
    else:
        builder.note("task")
        return prompt or text
    return prompt


CLAUDE_CODE_SESSION = LogFormat(name="claude_code", matches=_matches, read=_read, parts="file")
CLAUDE_CODE_WEB = LogFormat(name="claude_code", matches=_matches_web, read=_read_web)

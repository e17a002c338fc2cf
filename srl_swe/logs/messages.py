"""Chat messages as the formats write them, brought into one form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from srl_swe_envs.toolsets import ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One recorded tool call; `call` is None when its arguments can't be read."""

    call: ToolCall | None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: str
    text: str = ""
    reasoning: str = ""
    calls: tuple[CallRecord, ...] = ()
    call_id: str | None = None
    """Which call a tool message answers."""


def message_of(raw: dict[str, Any]) -> Message:
    """A message from its JSON object: content as text or parts, OpenAI tool calls, hidden reasoning."""
    ids = raw.get("tool_call_ids")
    return Message(
        role=str(raw.get("role")),
        text=text_of(raw.get("content")),
        reasoning=text_of(raw.get("reasoning_content") or raw.get("reasoning")),
        calls=tuple(call_of(call) for call in raw.get("tool_calls") or ()),
        call_id=raw.get("tool_call_id") or (ids[0] if ids else None),
    )


def text_of(content: Any) -> str:
    """The text of a message's content: a string, null, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content"))
    if isinstance(content, list):
        return "\n".join(text for text in map(text_of, content) if text)
    return str(content)


def call_of(raw: dict[str, Any]) -> CallRecord:
    """A call of the OpenAI form, whose arguments are JSON text or already an object."""
    function = raw.get("function") or raw
    return CallRecord(call=tool_call(function["name"], function.get("arguments")), id=raw.get("id"))


def tool_call(name: str, arguments: Any) -> ToolCall | None:
    """A tool call; None when the arguments are neither an object nor the JSON text of one."""
    if arguments is None or arguments == "":
        arguments = {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False)
        except (ValueError, RecursionError):
            return None
    if not isinstance(arguments, dict):
        return None
    return ToolCall(name=name, arguments=arguments)


def count_records(messages: Sequence[Message]) -> int:
    """How many records a conversation holds: each message one, a reply with several calls one for each."""
    return sum(max(1, len(message.calls)) for message in messages)

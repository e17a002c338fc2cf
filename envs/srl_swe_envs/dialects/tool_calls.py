"""The `tool_calls` dialect: JSON in `<tool_call>` tags, as Hermes-style chat templates (Qwen2.5, Qwen3) write it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from ..actions import Action
from ..errors import MalformedReply
from ..toolsets import SWE_AGENT, ToolCall, Toolset

_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Reads and writes `<tool_call>` blocks of a toolset."""

    name: str = "tool_calls"
    toolset: Toolset = SWE_AGENT

    def parse_action(self, text: str, foreign_tools: Collection[str]) -> Action:
        """The one tool call of a text."""
        return self.toolset.to_action(_parse_call(text), foreign_tools=foreign_tools)

    def split_actions(self, text: str) -> tuple[str, ...]:
        """Each tool call block."""
        return tuple(call.group() for call in _CALL.finditer(text))

    def render_action(self, action: Action) -> str:
        """A block that `parse_action` reads back; `</` is escaped so that no value can close the block."""
        call = self.toolset.to_call(action)
        body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
        return "<tool_call>\n" + body.replace("</tool_call>", "<\\/tool_call>") + "\n</tool_call>"


def _parse_call(text: str) -> ToolCall:
    calls = _CALL.findall(text)
    if not calls:
        reason = "unclosed_action" if "<tool_call>" in text else "no_action"
        raise MalformedReply(reason, "one closed <tool_call> block is expected")
    if len(calls) > 1:
        raise MalformedReply("two_actions", f"one tool call is expected, not {len(calls)}")
    try:
        record = json.loads(calls[0])
    except (ValueError, RecursionError) as error:
        raise MalformedReply("bad_arguments", f"the tool call is not JSON: {error}") from error
    name, arguments = record.get("name"), record.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise MalformedReply("bad_arguments", 'a tool call is {"name": text, "arguments": object}')
    return ToolCall(name=name, arguments=arguments)


TOOL_CALLS = ToolCalls()

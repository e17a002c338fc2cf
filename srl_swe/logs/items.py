"""Reads the items of OpenAI's Responses API into turns (rollouts of NeMo-Gym, Codex sessions).

A reply is the run of reasoning, message and call items up to the first output; its calls are parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srl_swe_envs.actions import Action
from srl_swe_envs.toolsets import ToolCall, Toolset

from .conversation import elided_in, exit_code_of
from .messages import text_of, tool_call
from .turns import TurnBuilder, joined_thought

_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "web_search_call"})
ITEM_TYPES = _OUTPUTS | _CALLS | {"message", "reasoning"}


@dataclass(slots=True)
class _Reply:
    """A reply that is still being collected: its texts and its calls."""

    reasoning: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    messages: int = 0
    calls: list[tuple[ToolCall, str | None]] = field(default_factory=list)


def read_items(
    items: Iterable[Mapping[str, Any]],
    toolset: Toolset,
    builder: TurnBuilder,
    to_action: Callable[[Action], Action] = lambda action: action,
) -> None:
    """Give every item to the builder, once."""
    reply = _Reply()
    for item in items:
        kind = item.get("type") or "message"
        if kind in _OUTPUTS:
            reply = _close(reply, toolset, builder, to_action)
            text = output_text(item.get("output"))
            code = exit_code_of(text) if exit_code_in(item) is None else exit_code_in(item)
            builder.observe(text, call_id=item.get("call_id"), exit_code=code, elided_chars=elided_in(text))
        elif kind == "reasoning":
            if reply.calls:
                reply = _close(reply, toolset, builder, to_action)
            reply.reasoning.append(text_of(item.get("summary")) or text_of(item.get("content")))
            builder.note("reasoning")
        elif kind in _CALLS:
            call = item_call(item)
            if call is None:
                builder.drop("unreadable arguments")
            else:
                reply.calls.append((call, item.get("call_id") or item.get("id")))
        elif kind == "message":
            reply = _close(reply, toolset, builder, to_action) if reply.calls else reply
            _read_message(item, reply, builder)
        else:
            builder.note("session event")
    _close(reply, toolset, builder, to_action)


def item_call(item: Mapping[str, Any]) -> ToolCall | None:
    """The call of a call item; the input of a custom tool is its one argument."""
    kind = item["type"]
    if kind == "custom_tool_call":
        return tool_call(str(item["name"]), {"input": item.get("input")})
    if kind in ("local_shell_call", "web_search_call"):
        name = "shell" if kind == "local_shell_call" else "web_search"
        arguments = {k: v for k, v in (item.get("action") or {}).items() if v is not None and k != "type"}
        return tool_call(name, arguments)
    return tool_call(str(item["name"]), item.get("arguments"))


def calls_of(items: Sequence[Mapping[str, Any]]) -> list[ToolCall]:
    """All readable calls among items."""
    return [call for item in items if item.get("type") in _CALLS and (call := item_call(item)) is not None]


def output_text(output: Any) -> str:
    """The text of an output: plain, in parts, or in an object that Codex wraps around it."""
    if isinstance(output, dict) and "output" in output:
        return text_of(output["output"])
    return text_of(output)


def exit_code_in(item: Mapping[str, Any]) -> int | None:
    """The exit code in the object that Codex writes beside an output, as JSON text or as it is."""
    output = item.get("output")
    if isinstance(output, str) and output.startswith("{") and '"exit_code"' in output:
        wrapped = tool_call("", output)
        output = dict(wrapped.arguments) if wrapped else None
    metadata = output.get("metadata") if isinstance(output, dict) else None
    code = metadata.get("exit_code") if isinstance(metadata, dict) else None
    return code if type(code) is int else None


def _read_message(item: Mapping[str, Any], reply: _Reply, builder: TurnBuilder) -> None:
    role = item.get("role")
    if role == "assistant":
        reply.said.append(text_of(item.get("content")))
        reply.messages += 1
        return
    _drop_talk(reply, builder)
    if role in ("system", "developer"):
        builder.note("system prompt")
    elif builder.has_turns():
        builder.drop("further user message")
    else:
        builder.note("task")


def _close(reply: _Reply, toolset: Toolset, builder: TurnBuilder, to_action: Callable[[Action], Action]) -> _Reply:
    """Give a collected reply to the builder; returns an empty one."""
    if reply.calls:
        thought = joined_thought(*reply.reasoning, *reply.said)
        builder.reply(thought, [(to_action(toolset.read_call(call)), call_id) for call, call_id in reply.calls])
        builder.note("text of a reply", reply.messages)
    else:
        _drop_talk(reply, builder)
    return _Reply()


def _drop_talk(reply: _Reply, builder: TurnBuilder) -> None:
    if reply.messages:
        builder.drop("reply without an action", reply.messages)
        reply.messages = 0
        reply.said.clear()

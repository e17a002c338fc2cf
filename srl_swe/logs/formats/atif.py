"""ATIF (harbor's Agent Trajectory Interchange Format): `steps` whose observation lies inside the agent's step.

Arguments are objects. A step without calls is either talk, a call in the message's text, or a reply that the harness
could not parse. Continuations repeat steps marked `is_copied_context`; no outcome is inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.recorded_toolsets import toolset_of
from srl_swe_envs.toolsets import ToolCall, Toolset

from ..conversation import elided_in, exit_code_of
from ..messages import CallRecord, Message, text_of, tool_call
from ..reading import LogFormat, Origin, Reading
from ..replies import split_xml
from ..tasks_in_logs import task_of
from ..text_calls import with_text_calls
from ..turns import TurnBuilder, joined_thought

_REJECTION = "Previous response had parsing errors:\nERROR"
_SOURCES = {"system": "system prompt", "user": "task"}


def _matches(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        return False
    return str(value.get("schema_version", "")).startswith("ATIF") or {"session_id", "agent"} <= value.keys()


def _read(value: dict[str, Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    pairs = [(step, _message(step)) for step in value["steps"]]
    toolset = toolset_of(call.call for _, message in pairs for call in message.calls if call.call is not None)
    for step, message in pairs:
        if step.get("is_copied_context"):
            builder.drop("copied context", max(1, len(message.calls)))
        elif step["source"] == "agent":
            _read_agent_step(step, message, toolset, builder)
        elif builder.has_turns():
            builder.drop("further user message" if step["source"] == "user" else "context summary")
        else:
            builder.note(_SOURCES.get(step["source"], "session event"))
    agent = value.get("agent") or {}
    prompt = next((message.text for step, message in pairs if step["source"] == "user"), "")
    return builder.finish(
        source="atif",
        origin=origin,
        task=task_of("", prompt),
        seen=sum(max(1, len(message.calls)) for _, message in pairs),
        model=str(agent.get("model_name") or ""),
    )


def _message(step: Mapping[str, Any]) -> Message:
    """The step as a message, with calls from its text where it has no others."""
    calls = tuple(
        CallRecord(call=tool_call(raw["function_name"], raw.get("arguments")), id=raw.get("tool_call_id"))
        for raw in step.get("tool_calls") or ()
    )
    role = "assistant" if step["source"] == "agent" else step["source"]
    message = Message(
        role=role,
        text=text_of(step.get("message")),
        reasoning=text_of(step.get("reasoning_content")),
        calls=calls,
    )
    if role != "assistant" or calls:
        return message
    if "<function=" in message.text:
        try:
            thought, call = split_xml(message.text, lambda name: True)
        except MalformedReply:
            return message
        return replace(message, text=thought, calls=(CallRecord(call=call),))
    return with_text_calls(message)


def _read_agent_step(step: Mapping[str, Any], message: Message, toolset: Toolset, builder: TurnBuilder) -> None:
    results = _results(step)
    if results and text_of(results[0].get("content")).startswith(_REJECTION):
        builder.drop("format-error retry", max(1, len(message.calls)))
        return
    calls: list[tuple[ToolCall, str | None]] = [(c.call, c.id) for c in message.calls if c.call is not None]
    builder.drop("unreadable arguments", len(message.calls) - len(calls))
    if not message.calls:
        builder.drop("reply without an action")
    if not calls:
        return
    actions = [(toolset.read_call(call), call_id) for call, call_id in calls]
    builder.reply(joined_thought(message.reasoning, message.text), actions)
    for result in results:
        text = text_of(result.get("content"))
        alone = len(results) == 1 and len(calls) > 1 and not result.get("source_call_id")
        builder.observe(
            text,
            call_id=result.get("source_call_id"),
            exit_code=exit_code_of(text),
            elided_chars=elided_in(text),
            of_all=alone,
            own_record=False,
        )


def _results(step: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    results = (step.get("observation") or {}).get("results") or ()
    return [result for result in results if result.get("content") is not None]


ATIF = LogFormat(name="atif", matches=_matches, read=_read)

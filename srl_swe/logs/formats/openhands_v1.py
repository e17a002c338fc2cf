"""OpenHands V1 (the SDK's event log): one JSON file per event in `<conversation>/events/`.

Parallel calls share `llm_response_id`, only the first has the thought. A Condensation replaced earlier events by a
summary in the model's view; those events are in the log and stay turns, the summary is left out. Nothing in the log
says the instance or whether it was solved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from srl_swe_envs.actions import Action, OtherCall
from srl_swe_envs.recorded_toolsets import OPENHANDS, OPENHANDS_SDK, OPENHANDS_SDK_EARLY
from srl_swe_envs.toolsets import Toolset

from ..messages import CallRecord, call_of, text_of, tool_call
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought
from .openhands_v0 import read_user_text

_ANSWERS = frozenset({"ObservationEvent", "AgentErrorEvent", "UserRejectObservation"})
_CONTEXT = {"SystemPromptEvent": "system prompt", "Condensation": "context summary"}


def _matches(value: Any) -> bool:
    if not isinstance(value, dict) or not {"id", "timestamp", "source"} <= value.keys():
        return False
    kind = value.get("kind")
    return isinstance(kind, str) and (kind.endswith(("Event", "Observation")) or kind.startswith("Condensation"))


def _read(parts: Iterable[dict[str, Any]], origin: Origin) -> Reading:
    events = sorted(parts, key=lambda event: str(event["timestamp"]))
    builder = TurnBuilder()
    toolset = _toolset(events)
    prompt, response_id = "", ""
    for event in events:
        kind = event["kind"]
        if kind == "ActionEvent":
            response = str(event.get("llm_response_id") or "")
            _read_action(event, toolset, builder, continues=bool(response) and response == response_id)
            response_id = response
        elif kind in _ANSWERS:
            _read_answer(event, builder)
        elif kind == "MessageEvent":
            prompt = _read_message(event, prompt, builder)
        else:
            builder.note(_CONTEXT.get(kind, "session event"))
    return builder.finish(
        source="openhands_v1", origin=origin, task=task_of("", prompt), seen=len(events), model=_model(events)
    )


def _read_action(event: Mapping[str, Any], toolset: Toolset, builder: TurnBuilder, *, continues: bool) -> None:
    record = _call(event)
    if record.call is None:
        builder.drop("unreadable arguments")
        return
    thought = joined_thought(text_of(event.get("reasoning_content")), text_of(event.get("thought")))
    action: Action = toolset.read_call(record.call)
    builder.reply(thought, [(action, event.get("tool_call_id"))], continues=continues)


def _call(event: Mapping[str, Any]) -> CallRecord:
    raw = event.get("tool_call")
    if isinstance(raw, dict):
        return call_of(raw)
    arguments = {k: v for k, v in (event.get("action") or {}).items() if k != "kind"}
    return CallRecord(call=tool_call(str(event.get("tool_name")), arguments))


def _read_answer(event: Mapping[str, Any], builder: TurnBuilder) -> None:
    observation = event.get("observation")
    observation = observation if isinstance(observation, dict) else {}
    keys = ("content", "output", "message", "error")
    texts = (text_of(observation.get(key)) for key in keys if not isinstance(observation.get(key), bool))
    text = next((text for text in texts if text), "") or text_of(event.get("error") or event.get("rejection_reason"))
    code = (observation.get("metadata") or {}).get("exit_code", observation.get("exit_code"))
    builder.observe(
        text, call_id=event.get("tool_call_id"), exit_code=code if type(code) is int and code >= 0 else None
    )


def _read_message(event: Mapping[str, Any], prompt: str, builder: TurnBuilder) -> str:
    text = text_of((event.get("llm_message") or {}).get("content"))
    if event["source"] != "user":
        builder.drop("reply without an action")
        return prompt
    return read_user_text(text, prompt, builder)


def _toolset(events: Iterable[Mapping[str, Any]]) -> Toolset:
    """The SDK renamed its tools twice; the one that has a meaning for most calls is the run's."""
    calls = [record.call for event in events if event["kind"] == "ActionEvent" and (record := _call(event)).call]
    known = (OPENHANDS, OPENHANDS_SDK, OPENHANDS_SDK_EARLY)
    return max(known, key=lambda tools: sum(not isinstance(tools.read_call(c), OtherCall) for c in calls if c))


def _model(events: Iterable[Mapping[str, Any]]) -> str:
    return next((str(event["model"]) for event in events if event.get("model")), "")


OPENHANDS_V1 = LogFormat(
    name="openhands_v1", matches=_matches, read=_read, parts="folder", conversation=lambda value: ""
)
OPENHANDS_V1_FILE = LogFormat(name="openhands_v1", matches=_matches, read=_read, parts="file")
"""The same events gathered in one file."""

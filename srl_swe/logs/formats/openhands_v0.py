"""OpenHands V0: rows of an `output.jsonl` with a `history` of events, and bare lists of events (`trajectory.json`).

An observation belongs to the action that its `tool_call_id` or `cause` names, whatever its `source` says. The call as
the model wrote it is in `tool_call_metadata.model_response`; event arguments are the harness' reading of it. Events
that share one model response are one reply. System, recall and state events are no steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from srl_swe_envs.actions import Action, OtherCall, Shell, Submit
from srl_swe_envs.recorded_toolsets import OPENHANDS
from srl_swe_envs.trajectories import Outcome

from ..messages import call_of, text_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought

FAKE_USER = re.compile(r"\A\s*Please continue working on the task on whatever approach you think is suitable")
"""What the evaluation harness says in a user's place (upstream `evaluation/utils/shared.py`)."""
_NO_STEP = {"system": "system prompt", "recall": "recalled context", "change_agent_state": "agent state"}
_NO_ANSWER = {"recall": "recalled context", "agent_state_changed": "agent state", "null": "empty observation"}
_HARNESS_ARGUMENTS = frozenset(
    {"thought", "confirmation_state", "is_confirmed", "hidden", "blocking", "keep_prompt", "action_risk", "is_static"}
    | {"cwd", "kernel_init_code", "security_risk", "translated_ipython_code", "impl_source"}
)


def _is_event(value: Any) -> bool:
    if not isinstance(value, dict) or "role" in value or "type" in value:
        return False
    if isinstance(value.get("action"), str):
        return isinstance(value.get("args"), dict) or "action_risk" in value or "outputs" in value
    return isinstance(value.get("observation"), str) and "content" in value and ("extras" in value or "cause" in value)


def _events_in(row: Any) -> Sequence[dict[str, Any]] | None:
    for key in ("history", "trajectory"):
        events = row.get(key) if isinstance(row, dict) else None
        if isinstance(events, list) and events and any(_is_event(event) for event in events[:5]):
            return events
    return None


def _read_row(row: dict[str, Any], origin: Origin) -> Reading:
    events = _events_in(row) or ()
    builder = TurnBuilder()
    text = _read_events(events, builder)
    instance = row.get("instance") or {}
    issue = row.get("issue") or {}
    instance_id = row.get("instance_id") or ""
    repo = ""
    if not instance_id and issue:
        repo = f"{issue.get('owner')}/{issue.get('repo')}"
        instance_id = f"{issue.get('owner')}__{issue.get('repo')}-{issue.get('number')}"
    prompt = row.get("instruction") or text
    return builder.finish(
        source="openhands_v0",
        origin=origin,
        task=task_of(str(instance_id), prompt, instance, repo=repo, base_commit=row.get("base_commit") or ""),
        seen=len(events),
        outcome=_outcome(row),
        model=((row.get("metadata") or {}).get("llm_config") or {}).get("model") or _model(events),
    )


def _read_list(events: Sequence[dict[str, Any]], origin: Origin) -> Reading:
    return _read_row({"history": events}, origin)


def _read_events(events: Sequence[Mapping[str, Any]], builder: TurnBuilder) -> str:
    """Give every event to the builder; returns the first user message."""
    task_text = ""
    keys: dict[Any, str] = {}
    response_id = ""
    for event in events:
        kind = event.get("action")
        if not isinstance(kind, str):
            _read_observation(event, keys, builder)
        elif kind in _NO_STEP:
            builder.note(_NO_STEP[kind])
        elif kind == "message":
            task_text = _read_message(event, task_text, builder)
        else:
            key = str(_metadata(event).get("tool_call_id") or f"event {event.get('id')}")
            keys[event.get("id")] = key
            response = str((_metadata(event).get("model_response") or {}).get("id") or "")
            builder.reply(
                _thought(event), [(_action(event), key)], continues=bool(response) and response == response_id
            )
            response_id = response
    return task_text


def read_user_text(text: str, task_text: str, builder: TurnBuilder) -> str:
    """Account for a user message; gives the task's text, which is the first message's unless one is known."""
    if FAKE_USER.search(text):
        builder.drop("fake user turn")
    elif builder.has_turns():
        builder.drop("further user message")
    else:
        builder.note("task")
        return task_text or text
    return task_text


def _read_message(event: Mapping[str, Any], task_text: str, builder: TurnBuilder) -> str:
    text = text_of(_args(event).get("content"))
    if event.get("source") == "agent" or (event.get("source") is None and task_text):
        builder.drop("reply without an action")
        return task_text
    return read_user_text(text, task_text, builder)


def _read_observation(event: Mapping[str, Any], keys: Mapping[Any, str], builder: TurnBuilder) -> None:
    kind = event.get("observation")
    if kind in _NO_ANSWER:
        builder.note(_NO_ANSWER[str(kind)])
        return
    metadata, extras = _metadata(event), event.get("extras") or {}
    key = metadata.get("tool_call_id") or keys.get(event.get("cause"))
    text = extras.get("formatted_output_and_error") or text_of(event.get("content"))
    code = (extras.get("metadata") or {}).get("exit_code", event.get("exit_code", extras.get("exit_code")))
    code = code if type(code) is int and code >= 0 else None
    if kind == "error" and not builder.awaits_observation():
        if (call := _recorded_call(event)) is None:
            builder.drop("error without an action")
            return
        builder.reply(_response_text(event), [(call, key)])
        builder.observe(text, call_id=key, own_record=False)
        return
    builder.observe(text, call_id=key, exit_code=code)


def _action(event: Mapping[str, Any]) -> Action:
    """The call as the model wrote it, or else as the event says it."""
    if (recorded := _recorded_call(event)) is not None:
        return recorded
    kind, args = str(event["action"]), _args(event)
    if kind == "run" and not args.get("is_input"):
        return Shell(command=str(args.get("command") or ""))
    if kind == "finish":
        return Submit(message=str(args.get("final_thought") or ""))
    name = "execute_ipython_cell" if kind == "run_ipython" else kind
    rest = {k: v for k, v in args.items() if k not in _HARNESS_ARGUMENTS and v is not None}
    return OtherCall(tool=name, arguments=rest)


def _recorded_call(event: Mapping[str, Any]) -> Action | None:
    wanted = _metadata(event).get("tool_call_id")
    for raw in _response_message(event).get("tool_calls") or ():
        if raw.get("id") == wanted:
            record = call_of(raw)
            return OPENHANDS.read_call(record.call) if record.call is not None else None
    return None


def _thought(event: Mapping[str, Any]) -> str:
    message = _response_message(event)
    visible = text_of(message.get("content")) or str(_args(event).get("thought") or "")
    if event.get("action") == "think":
        visible = text_of(message.get("content"))
    return joined_thought(text_of(message.get("reasoning_content")), visible)


def _response_text(event: Mapping[str, Any]) -> str:
    return text_of(_response_message(event).get("content"))


def _response_message(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = (_metadata(event).get("model_response") or {}).get("choices") or [{}]
    message = choices[0].get("message") or {}
    return message if isinstance(message, Mapping) else {}


def _metadata(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event.get("tool_call_metadata") or {}


def _args(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An action's arguments; logs of 2024 have them beside the action's name."""
    args = event.get("args")
    return args if isinstance(args, Mapping) else {k: v for k, v in event.items() if k != "action"}


def _outcome(row: Mapping[str, Any]) -> Outcome:
    report = (row.get("test_result") or {}).get("report") or row.get("report") or {}
    return outcome_of(report.get("resolved") if isinstance(report, Mapping) else None)


def _model(events: Sequence[Mapping[str, Any]]) -> str:
    models = ((_metadata(event).get("model_response") or {}).get("model") for event in events)
    return next((str(model) for model in models if model), "")


OPENHANDS_V0 = LogFormat(name="openhands_v0", matches=lambda row: _events_in(row) is not None, read=_read_row)
OPENHANDS_V0_EVENTS = LogFormat(name="openhands_v0", matches=_is_event, read=_read_list, parts="file")

"""OpenHands V0: a row of `output.jsonl` with its history of events (upstream `openhands/events/serialization`).

Every action event is followed by its observation event, which names it by `cause` and by the tool call's id, and both
carry the model's response. Event ids have the gaps that upstream's have: it leaves out null observations.
"""

from __future__ import annotations

import json
from typing import Any

from srl_swe_envs.actions import Action, Create, Insert, Replace, Shell, Submit, View
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.recorded_toolsets import OPENHANDS
from srl_swe_envs.trajectories import Observation

from .recording import SYSTEM, Recording, instance_message, shown

_TIME = "2024-01-01T00:00:00.000000"
_FIRST_ID = 5
_NO_ARGUMENTS: dict[str, Any] = {"old_str": None, "new_str": None, "file_text": None, "insert_line": None}


def to_openhands_v0(recording: Recording) -> dict[str, Any]:
    """One row."""
    task = recording.task
    return {
        "instance_id": task.id,
        "test_result": {"git_patch": recording.patch, "report": {"resolved": recording.resolved}},
        "instruction": _instruction(recording),
        "metadata": {
            "agent_class": "srl_swe_envs.demo.expert",
            "llm_config": {"model": recording.agent},
            "max_iterations": 50,
            "dataset": "srl_swe_envs.demo",
        },
        "history": _events(recording),
        "metrics": {"accumulated_cost": 0.0},
        "error": None,
        "instance": {
            "repo": task.repo,
            "instance_id": task.id,
            "problem_statement": task.problem,
            "base_commit": task.base_commit,
            "FAIL_TO_PASS": json.dumps(list(task.fail_to_pass)),
            "PASS_TO_PASS": json.dumps(list(task.pass_to_pass)),
        },
    }


def _instruction(recording: Recording) -> str:
    return instance_message(recording.task).replace("pr_description", "issue_description")


def _events(recording: Recording) -> list[dict[str, Any]]:
    events = _opening(recording)
    for index, turn in enumerate(recording.turns):
        event_id = _FIRST_ID + 2 * index
        events.append(_action_event(recording, index, event_id))
        if not isinstance(turn.action, Submit):
            events.append(_observation_event(recording, index, event_id))
    return events


def _opening(recording: Recording) -> list[dict[str, Any]]:
    text = _instruction(recording)
    recall = {"recall_type": "workspace_context", "query": text, "thought": ""}
    added = "Added workspace context"
    return [
        _event(0, "agent", SYSTEM) | {"action": "system", "args": {"content": SYSTEM, "tools": []}},
        _event(1, "user", text)
        | {"action": "message", "args": {"content": text, "image_urls": None, "wait_for_response": False}},
        _event(2, "user", f"Retrieving content for: {text[:50]}") | {"action": "recall", "args": recall},
        _event(4, "environment", added)
        | {"cause": 2, "observation": "recall", "content": added, "extras": {"recall_type": "workspace_context"}},
    ]


def _event(event_id: int, source: str, message: str) -> dict[str, Any]:
    return {"id": event_id, "timestamp": _TIME, "source": source, "message": message}


def _action_event(recording: Recording, index: int, event_id: int) -> dict[str, Any]:
    turn = recording.turns[index]
    kind, arguments, message = _action(turn.action)
    event = _event(event_id, "agent", message)
    event |= {"action": kind, "tool_call_metadata": _metadata(recording, index)}
    return event | {"args": {**arguments, "thought": turn.thought}}


def _action(action: Action) -> tuple[str, dict[str, Any], str]:
    """Event kind, arguments and message of an action."""
    match action:
        case Shell(command=command):
            arguments = {"command": command, "is_input": False, "blocking": False, "hidden": False}
            return "run", arguments, f"Running command: {command}"
        case View(path=path, lines=lines):
            view_range = list(lines) if lines else None
            arguments = {"path": path, "start": 0, "end": -1, "impl_source": "oh_aci", "view_range": view_range}
            return "read", arguments, f"Reading file: {path}"
        case Create() | Replace() | Insert():
            call = OPENHANDS.to_call(action)
            return "edit", {**_NO_ARGUMENTS, **call.arguments, "impl_source": "oh_aci"}, ""
        case Submit(message=message):
            return "finish", {"final_thought": message, "outputs": {}}, message
        case _:
            raise ConfigError(f"OpenHands V0 has no event for {type(action).__name__}")


def _observation_event(recording: Recording, index: int, cause: int) -> dict[str, Any]:
    turn = recording.turns[index]
    observation = turn.observation or Observation(text="")
    content = shown(observation)
    kind = {"run": "run", "read": "read", "edit": "edit"}[_action(turn.action)[0]]
    event = _event(cause + 1, "agent", _outcome_message(turn.action, observation))
    event |= {"cause": cause, "observation": kind, "tool_call_metadata": _metadata(recording, index)}
    event |= {"content": content, "extras": _extras(recording, turn.action, observation)}
    if kind == "run":
        event["success"] = observation.exit_code == 0
    return event


def _outcome_message(action: Action, observation: Observation) -> str:
    match action:
        case Shell(command=command):
            return f"Command `{command}` executed with exit code {observation.exit_code}."
        case View(path=path):
            return f"I read the file {path}."
        case _:
            return f"I edited the file {OPENHANDS.to_call(action).arguments['path']}."


def _extras(recording: Recording, action: Action, observation: Observation) -> dict[str, Any]:
    if isinstance(action, Shell):
        code = observation.exit_code
        suffix = f"\n[The command completed with exit code {code}.]"
        metadata = {"exit_code": code, "pid": -1, "working_dir": recording.task.workdir, "prefix": "", "suffix": suffix}
        return {"command": action.command, "metadata": metadata, "hidden": False}
    extras: dict[str, Any] = {"path": OPENHANDS.to_call(action).arguments["path"], "impl_source": "oh_aci"}
    if isinstance(action, Replace):
        extras |= {"prev_exist": True, "old_content": action.old, "new_content": action.new}
    return extras


def _metadata(recording: Recording, index: int) -> dict[str, Any]:
    turn = recording.turns[index]
    call = OPENHANDS.to_call(turn.action)
    function = {"arguments": json.dumps(dict(call.arguments), ensure_ascii=False), "name": call.name}
    message = {
        "content": turn.thought,
        "role": "assistant",
        "tool_calls": [{"index": 0, "function": function, "id": recording.call_id(index), "type": "function"}],
        "function_call": None,
    }
    response = {
        "id": f"response-{index}",
        "created": 0,
        "model": recording.agent,
        "object": "chat.completion",
        "choices": [{"finish_reason": "tool_calls", "index": 0, "message": message}],
    }
    return {
        "function_name": call.name,
        "tool_call_id": recording.call_id(index),
        "model_response": response,
        "total_calls_in_response": 1,
    }

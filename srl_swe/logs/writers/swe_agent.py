"""SWE-agent 1.1 `.traj` with function calling (upstream `sweagent/agent/agents.py: get_trajectory_data`).

`history` is the conversation; each step of `trajectory` repeats as `query` the messages sent before it. Times and
costs are 0: they would differ from one recording to the next.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from srl_swe_envs.actions import Action, Shell, Submit
from srl_swe_envs.toolsets import SWE_AGENT, ToolCall

from .recording import SYSTEM, Recording, instance_message, shown

NO_OUTPUT = "Your command ran successfully and did not produce any output."


def to_swe_agent(recording: Recording) -> dict[str, Any]:
    """The JSON object of a `.traj` file."""
    history = _opening(recording)
    steps = []
    for index, turn in enumerate(recording.turns):
        query = [_as_query(message) for message in history]
        said = shown(turn.observation)
        if isinstance(turn.action, Submit):
            said = recording.patch
        action = command_of(turn.action)
        history.append(_reply(recording, index, action))
        history.append(_observation(recording, index, said))
        steps.append(
            {
                "action": action,
                "observation": said,
                "response": turn.thought,
                "thought": turn.thought,
                "execution_time": 0.0,
                "state": {"working_dir": recording.task.workdir},
                "query": query,
                "extra_info": {},
            }
        )
    return {
        "trajectory": steps,
        "history": history,
        "info": _info(recording),
        "replay_config": json.dumps(_replay_config(recording)),
        "environment": "main",
    }


def observed(text: str) -> str:
    """A message about what a command printed (`next_step_template`, `next_step_no_output_template`)."""
    return f"OBSERVATION:\n{text}" if text else NO_OUTPUT


def command_of(action: Action) -> str:
    """The shell rendering that SWE-agent stores beside a tool call."""
    if isinstance(action, Shell):
        return action.command
    call = SWE_AGENT.to_call(action)
    if call.name == "submit":
        return "submit"
    return " ".join([call.name, *_words(call)])


def _words(call: ToolCall) -> list[str]:
    words = [str(call.arguments["command"]), shlex.quote(str(call.arguments["path"]))]
    for name, value in call.arguments.items():
        if name in ("command", "path"):
            continue
        values = value if isinstance(value, list) else [value]
        words += [f"--{name}", *(shlex.quote(str(item)) for item in values)]
    return words


def _opening(recording: Recording) -> list[dict[str, Any]]:
    content = [{"type": "text", "text": instance_message(recording.task)}]
    return [
        {"role": "system", "content": SYSTEM, "agent": "main", "message_type": "system_prompt"},
        {"role": "user", "content": content, "agent": "main", "message_type": "observation"},
    ]


def _reply(recording: Recording, index: int, action: str) -> dict[str, Any]:
    turn = recording.turns[index]
    call = SWE_AGENT.to_call(turn.action)
    function = {"arguments": json.dumps(dict(call.arguments), ensure_ascii=False), "name": call.name}
    return {
        "role": "assistant",
        "content": turn.thought,
        "thought": turn.thought,
        "action": action,
        "agent": "main",
        "tool_calls": [{"function": function, "id": recording.call_id(index), "type": "function"}],
        "message_type": "action",
    }


def _observation(recording: Recording, index: int, text: str) -> dict[str, Any]:
    return {
        "role": "tool",
        "content": [{"type": "text", "text": observed(text)}],
        "agent": "main",
        "message_type": "observation",
        "tool_call_ids": [recording.call_id(index)],
    }


def _as_query(message: dict[str, Any]) -> dict[str, Any]:
    """A message as it is sent to a model: without what SWE-agent keeps for itself."""
    return {key: value for key, value in message.items() if key not in ("thought", "action", "agent", "message_type")}


def _info(recording: Recording) -> dict[str, Any]:
    return {
        "swe_agent_version": "1.1.0",
        "submission": recording.patch,
        "exit_status": "submitted",
        "model_stats": {
            "instance_cost": 0,
            "tokens_sent": 0,
            "tokens_received": 0,
            "api_calls": len(recording.turns),
        },
    }


def _replay_config(recording: Recording) -> dict[str, Any]:
    task = recording.task
    return {
        "env": {
            "deployment": {"image": task.image, "type": "docker"},
            "repo": {"repo_name": task.workdir.lstrip("/"), "base_commit": task.base_commit, "type": "preexisting"},
            "name": "main",
        },
        "agent": {
            "name": "main",
            "templates": {
                "system_template": SYSTEM,
                "next_step_template": "OBSERVATION:\n{{observation}}",
                "next_step_no_output_template": NO_OUTPUT,
            },
            "tools": {"parse_function": {"type": "function_calling"}, "submit_command": "submit"},
            "model": {"name": recording.agent},
        },
        "problem_statement": {"text": task.problem, "id": task.id, "type": "text"},
    }

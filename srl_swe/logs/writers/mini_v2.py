"""mini-swe-agent 2.x `.traj.json` with tool calls (upstream `minisweagent/agents/default.py: serialize`).

The submitting call has no answer, and a message with the role `exit` ends the run. Times and costs are 0.
"""

from __future__ import annotations

import json
from typing import Any

from srl_swe_envs.actions import Submit
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.toolsets import MINI_SWE_AGENT
from srl_swe_envs.trajectories import Turn

from .recording import Recording

SUBMISSION = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git add -A && git diff --cached"
"""The command that ends a run."""
_SYSTEM = "You are a helpful assistant that can interact with a computer shell to solve programming tasks."


def to_mini_v2(recording: Recording) -> dict[str, Any]:
    """The JSON object of a file; ConfigError when a turn is neither a command nor the submission."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": _task_message(recording)},
    ]
    for index, turn in enumerate(recording.turns):
        messages.append(_reply(recording, index))
        if not isinstance(turn.action, Submit):
            messages.append(_observation(recording, index))
    submission = {"exit_status": "Submitted", "submission": recording.patch}
    messages.append({"role": "exit", "content": recording.patch, "extra": submission})
    return {
        "info": {
            "model_stats": {"instance_cost": 0.0, "api_calls": len(recording.turns)},
            "config": _config(recording),
            "mini_version": "2.2.7",
            **submission,
        },
        "messages": messages,
        "trajectory_format": "mini-swe-agent-1.1",
        "instance_id": recording.task.id,
    }


def _task_message(recording: Recording) -> str:
    task = recording.task
    return (
        f"<pr_description>\nConsider the following PR description:\n{task.problem.strip()}\n</pr_description>\n\n"
        "<instructions>\nChange non-test files in the current directory so that the description is met. Every command"
        f" runs in a new shell in {task.workdir}. When you are done, give this command alone:\n\n"
        f"{SUBMISSION}\n</instructions>"
    )


def command_of(turn: Turn) -> str:
    """The command of a turn."""
    if isinstance(turn.action, Submit):
        return SUBMISSION
    call = MINI_SWE_AGENT.to_call(turn.action)
    command = call.arguments["command"]
    if not isinstance(command, str):
        raise ConfigError("mini-swe-agent has no other tool than its shell")
    return command


def _reply(recording: Recording, index: int) -> dict[str, Any]:
    turn, call_id = recording.turns[index], recording.call_id(index)
    command = command_of(turn)
    arguments = json.dumps({"command": command}, ensure_ascii=False)
    message = {
        "content": turn.thought,
        "role": "assistant",
        "tool_calls": [
            {
                "index": 0,
                "function": {"arguments": arguments, "name": "bash"},
                "id": call_id,
                "type": "function",
            }
        ],
        "function_call": None,
    }
    response = {
        "id": f"response-{index}",
        "created": 0,
        "model": recording.agent,
        "object": "chat.completion",
        "choices": [{"finish_reason": "tool_calls", "index": 0, "message": message}],
    }
    extra = {
        "actions": [{"command": command, "tool_call_id": call_id}],
        "response": response,
        "cost": 0.0,
        "timestamp": 0.0,
    }
    return {**message, "extra": extra}


def _observation(recording: Recording, index: int) -> dict[str, Any]:
    observation = recording.turns[index].observation
    output = observation.text if observation is not None else ""
    code = observation.exit_code if observation is not None else None
    return {
        "content": f"<returncode>{code}</returncode>\n<output>\n{output}</output>",
        "extra": {"raw_output": output, "returncode": code, "timestamp": 0.0, "exception_info": ""},
        "tool_call_id": recording.call_id(index),
        "role": "tool",
    }


def _config(recording: Recording) -> dict[str, Any]:
    return {
        "agent": {"system_template": _SYSTEM, "step_limit": 0, "cost_limit": 0.0},
        "agent_type": "srl_swe_envs.demo.expert",
        "model": {"model_name": recording.agent},
        "model_type": "srl_swe_envs.demo.expert",
        "environment": {"image": recording.task.image, "cwd": recording.task.workdir},
        "environment_type": "srl_swe_envs.demo.workspace.DemoWorkspace",
    }

"""SWE-agent `.traj` files, 0.x and 1.x.

`trajectory` holds the steps, `history` the conversation; neither is complete. System prompt, demonstration and task
are only in `history`; format-error retries (an empty `action`) and the exit pseudo-step are only in `trajectory`. The
step's `action` is a lossy shell rendering, so tool calls are taken from `history`. Each step of 1.x repeats the whole
conversation (`messages` or `query`), which is passed over.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from srl_swe_envs.actions import Action
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.toolsets import SWE_AGENT

from ..messages import Message, message_of
from ..reading import LogFormat, Origin, Reading
from ..replies import command_action, split_xml
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought

_EXIT = re.compile(r"\AExit(?:ed)?\b|\AExit due to|autosubmitted")
_ID_IN_NAME = re.compile(r"([A-Za-z0-9-]+__[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*-\d+)$")


def _matches_0x(value: Any) -> bool:
    return _is_run(value) and not _is_1x(value)


def _matches_1x(value: Any) -> bool:
    return _is_run(value) and _is_1x(value)


def _is_run(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("history"), list):
        return False
    if isinstance(value.get("trajectory"), list):
        steps = value["trajectory"]
        return not steps or (isinstance(steps[0], dict) and "action" in steps[0] and "observation" in steps[0])
    return set(value) <= {"history", "info", "environment", "replay_config"} and all(
        "role" in item for item in value["history"][:3]
    )


def _is_1x(value: Mapping[str, Any]) -> bool:
    """From 1.0 on each step carries the conversation; the version is in `info` from 1.0.1."""
    steps = value.get("trajectory") or []
    return any("messages" in step or "query" in step for step in steps[:1]) or "swe_agent_version" in (
        value.get("info") or {}
    )


def _read_0x(value: dict[str, Any], origin: Origin) -> Reading:
    return _read(value, origin, "swe_agent_0x")


def _read_1x(value: dict[str, Any], origin: Origin) -> Reading:
    return _read(value, origin, "swe_agent_1x")


def _read(value: dict[str, Any], origin: Origin, source: str) -> Reading:
    builder = TurnBuilder()
    history = [message_of(item) for item in value["history"]]
    queue = deque(zip(value["history"], history, strict=True))
    steps = value.get("trajectory") or []
    task_text = _read_opening(queue, builder)
    unmatched = sum(not _read_step(step, queue, builder) for step in steps)
    while queue:  # `history` alone: demonstration files, and whatever follows the last step
        raw, message = queue.popleft()
        if message.role == "assistant" and not steps:
            _add_reply(builder, message, raw.get("action") or "", raw.get("thought"))
        else:
            _read_answer(message, builder)
    config = _replay_config(value)
    return builder.finish(
        source=source,
        origin=origin,
        task=_task(value, config, origin, task_text),
        seen=len(history) + unmatched,
        model=str(_at(config, "agent", "model", "name") or _at(config, "agent", "model", "model_name") or ""),
    )


def _read_opening(queue: deque[tuple[dict[str, Any], Message]], builder: TurnBuilder) -> str:
    """Everything before the first reply; returns the task's message (the last that is no demonstration)."""
    text = ""
    while queue and (queue[0][1].role != "assistant" or queue[0][0].get("is_demo")):
        raw, message = queue.popleft()
        if raw.get("is_demo"):
            builder.drop("demonstration")
        elif message.role == "system":
            builder.note("system prompt")
        else:
            builder.note("task")
            text = message.text
    return text


def _read_step(step: Mapping[str, Any], queue: deque[tuple[dict[str, Any], Message]], builder: TurnBuilder) -> bool:
    """One step, with its reply and answer out of `history`; False when `history` lacks it."""
    action = step.get("action") or ""
    if not action.strip():
        ended = _EXIT.search(step.get("response") or "") or _EXIT.search(step.get("observation") or "")
        builder.drop("exit pseudo-step" if ended else "format-error retry")
        return False
    recorded = queue[0] if queue and queue[0][1].role == "assistant" else None
    if recorded is None or (recorded[0].get("action") or action).strip() != action.strip():
        response = Message(role="assistant", text=step.get("response") or "")
        _add_reply(builder, response, action, step.get("thought"))
        if step.get("observation"):
            builder.observe(step["observation"], own_record=False)
        return False
    queue.popleft()
    _add_reply(builder, recorded[1], action, step.get("thought"))
    while queue and queue[0][1].role != "assistant":
        _read_answer(queue.popleft()[1], builder)
    return True


def _read_answer(message: Message, builder: TurnBuilder) -> None:
    if builder.awaits_observation():
        builder.observe(message.text)
    else:
        builder.drop("reply without a step" if message.role == "assistant" else "observation without an action")


def _add_reply(builder: TurnBuilder, message: Message, action: str, thought: str | None) -> None:
    """The reply's action: its tool call, else its `<function=...>` text, else the command as the step has it."""
    record = message.calls[0] if message.calls else None
    if record is not None and record.call is not None:
        builder.reply(joined_thought(message.reasoning, message.text), [(SWE_AGENT.read_call(record.call), None)])
        return
    said: Action
    try:
        text, call = split_xml(message.text)
        said = SWE_AGENT.read_call(call)
    except MalformedReply:
        text, said = thought if thought is not None else message.text, command_action(action)
    builder.reply(joined_thought(message.reasoning, text), [(said, None)])


def _replay_config(value: Mapping[str, Any]) -> dict[str, Any]:
    """The run's configuration: JSON text in a string, already an object, or absent."""
    config = value.get("replay_config") or {}
    config = json.loads(config) if isinstance(config, str) else config
    return config if isinstance(config, dict) else {}


def _task(value: Mapping[str, Any], config: Mapping[str, Any], origin: Origin, text: str) -> Any:
    statement = _at(config, "problem_statement") or {}
    image = _at(config, "env", "deployment", "image")
    commit = _at(config, "env", "repo", "base_commit")
    instance_id = _at(statement, "id") or _id_in_name(origin.path) or value.get("environment") or ""
    row = {"problem_statement": _at(statement, "text")}
    return task_of(
        str(instance_id), text, row, image=str(image or ""), base_commit="" if commit == "HEAD" else str(commit or "")
    )


def _id_in_name(path: str) -> str:
    """0.x has the instance id nowhere but in the file's name."""
    stem = PurePath(path).name.split(".traj")[0]
    match = _ID_IN_NAME.search(stem)
    return match[1] if match else stem


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


SWE_AGENT_0X = LogFormat(name="swe_agent_0x", matches=_matches_0x, read=_read_0x)
SWE_AGENT_1X = LogFormat(name="swe_agent_1x", matches=_matches_1x, read=_read_1x)

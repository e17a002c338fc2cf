"""mini-swe-agent v1 `.traj.json`: one bash fence a turn.

Rejected replies stay in the log, followed by a message that asks for exactly one action. The last user message is the
submission or the reason of the exit, not an observation. Hidden reasoning lies in the raw response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from srl_swe_envs.actions import Action
from srl_swe_envs.dialects.fence import command_to_action
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.toolsets import MINI_SWE_AGENT

from ..conversation import Rules, read_conversation
from ..messages import Message, count_records, message_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import first_user_text, task_of
from ..turns import TurnBuilder

_FENCE = re.compile(r"```(?:bash|mswea_bash_command)\s*\n(.*?)\n?```", re.DOTALL)
REJECTION = re.compile(
    r"EXACTLY ONE action|\ATool call error:|\AFormat error:|\ANo tool calls? found|every response needs to use the"
)
"""How the harness says that a reply was not accepted (upstream `config/*.yaml`, `format_error_template`)."""
FENCED = Rules(toolset=MINI_SWE_AGENT, read_text=lambda text: read_fence(text), rejections=REJECTION)


def read_fence(text: str) -> tuple[str, Action]:
    """Thought and action of a reply with exactly one bash block; raises MalformedReply."""
    blocks = list(_FENCE.finditer(text))
    if len(blocks) != 1:
        reason = "two_actions" if blocks else "no_action"
        raise MalformedReply(reason, f"exactly one bash block is expected, not {len(blocks)}")
    return text[: blocks[0].start()], command_to_action(blocks[0][1].strip())


def read_run(value: Mapping[str, Any], origin: Origin, source: str, rules: Rules) -> Reading:
    """A whole `.traj.json` of either version."""
    info = value.get("info") or {}
    config = info.get("config") or {}
    environment = config.get("environment") or {}
    messages = [_message(item) for item in value["messages"]]
    builder = TurnBuilder()
    ended = _ends_in_exit_message(messages, info)
    read_conversation(messages[:-1] if ended else messages, rules, builder)
    if ended:
        builder.drop("exit pseudo-step")
    return builder.finish(
        source=source,
        origin=origin,
        task=task_of(
            value.get("instance_id") or "",
            first_user_text(messages),
            image=environment.get("image") or "",
            workdir=environment.get("cwd") or "",
        ),
        seen=count_records(messages),
        model=(config.get("model") or {}).get("model_name") or "",
    )


def _message(raw: dict[str, Any]) -> Message:
    message = message_of(raw)
    if message.role != "assistant" or message.reasoning:
        return message
    response = (raw.get("extra") or {}).get("response") or {}
    choices = response.get("choices") if isinstance(response, dict) else None
    hidden = (choices[0].get("message") or {}) if choices else {}
    reasoning = hidden.get("reasoning") or hidden.get("reasoning_content")
    return replace(message, reasoning=reasoning) if isinstance(reasoning, str) else message


def _ends_in_exit_message(messages: list[Message], info: Mapping[str, Any]) -> bool:
    if len(messages) < 3 or messages[-1].role != "user" or not info.get("exit_status"):
        return False
    text = messages[-1].text
    return text == info.get("submission") or not text.lstrip().startswith("<returncode>")


def _matches(value: Any) -> bool:
    return isinstance(value, dict) and value.get("trajectory_format") == "mini-swe-agent-1" and "messages" in value


def _read(value: dict[str, Any], origin: Origin) -> Reading:
    return read_run(value, origin, "mini_swe_agent_v1", FENCED)


MINI_V1 = LogFormat(name="mini_swe_agent_v1", matches=_matches, read=_read)

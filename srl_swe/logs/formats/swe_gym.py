"""SWE-Gym's OpenHands-Sampled rows: OpenAI messages with null-padded keys, several tool calls in some replies.

The evaluation harness speaks in the user's place; `instance_id` may carry a running number (`_3`) behind the task's id.
"""

from __future__ import annotations

from typing import Any

from srl_swe_envs.recorded_toolsets import OPENHANDS

from ..conversation import Rules, read_conversation
from ..messages import count_records, message_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import first_user_text, task_of, without_run_number
from ..turns import TurnBuilder
from .openhands_v0 import FAKE_USER

_RULES = Rules(toolset=OPENHANDS, fake_user={"fake user turn": FAKE_USER})


def _matches(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("messages"), list) and {"run_id", "instance_id"} <= row.keys()


def _read(row: dict[str, Any], origin: Origin) -> Reading:
    messages = [message_of(item) for item in row["messages"]]
    builder = TurnBuilder()
    read_conversation(messages, _RULES, builder)
    return builder.finish(
        source="swe_gym_openhands",
        origin=origin,
        task=task_of(without_run_number(row["instance_id"]), first_user_text(messages)),
        seen=count_records(messages),
        outcome=outcome_of(row.get("resolved")),
        model=str(row["run_id"]).partition("_maxiter")[0],
    )


SWE_GYM = LogFormat(name="swe_gym_openhands", matches=_matches, read=_read)

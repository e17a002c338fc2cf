"""Nebius' SWE-agent-trajectories: roles system, user and `ai`, text under `text`, one fenced block per ai turn.

The system text lies in `system_prompt`; whether the task was solved in `target`; `instance_id` may carry a running
number behind the task's id.
"""

from __future__ import annotations

from typing import Any

from srl_swe_envs.toolsets import SWE_AGENT

from ..conversation import Rules, read_conversation
from ..messages import Message, count_records
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..replies import read_ticks
from ..tasks_in_logs import first_user_text, task_of, without_run_number
from ..turns import TurnBuilder

_RULES = Rules(toolset=SWE_AGENT, read_text=read_ticks)


def _matches(row: Any) -> bool:
    steps = row.get("trajectory") if isinstance(row, dict) else None
    return (
        isinstance(steps, list) and bool(steps) and isinstance(steps[0], dict) and {"role", "text"} <= steps[0].keys()
    )


def _read(row: dict[str, Any], origin: Origin) -> Reading:
    messages = [
        Message(role=item["role"], text=item.get("text") or item.get("system_prompt") or "")
        for item in row["trajectory"]
    ]
    builder = TurnBuilder()
    read_conversation(messages, _RULES, builder)
    return builder.finish(
        source="nebius",
        origin=origin,
        task=task_of(without_run_number(row.get("instance_id") or ""), first_user_text(messages)),
        seen=count_records(messages),
        outcome=outcome_of(row.get("target")),
        model=row.get("model_name") or "",
    )


NEBIUS = LogFormat(name="nebius", matches=_matches, read=_read)

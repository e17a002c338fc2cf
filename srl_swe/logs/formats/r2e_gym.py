"""R2E-Gym trajectories (also DeepSWE, SWE-Master): `trajectory_steps` of thought, action and observation.

Parameters are indented by two spaces, their values are not wrapped. The prompt is a template in `agent_args`; the task
row is in `ds`. Solved means reward 1.0.
"""

from __future__ import annotations

from typing import Any

from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.recorded_toolsets import toolset_of
from srl_swe_envs.toolsets import ToolCall

from ..conversation import elided_in, exit_code_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..replies import split_xml
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought


def _matches(row: Any) -> bool:
    steps = row.get("trajectory_steps") if isinstance(row, dict) else None
    return isinstance(steps, list) and (not steps or {"thought", "action", "observation"} <= steps[0].keys())


def _read(row: dict[str, Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    steps = row["trajectory_steps"]
    calls = [_call(step["action"] or "") for step in steps]
    toolset = toolset_of(call for call in calls if call is not None)
    for step, call in zip(steps, calls, strict=True):
        if call is None:
            builder.drop("reply without an action")
            continue
        builder.reply(joined_thought(step["thought"]), [(toolset.read_call(call), None)])
        if step.get("observation"):
            text = step["observation"]
            builder.observe(text, exit_code=exit_code_of(text), elided_chars=elided_in(text), own_record=False)
    task_row: dict[str, Any] = row["ds"] if isinstance(row.get("ds"), dict) else {}
    return builder.finish(
        source="r2e_gym",
        origin=origin,
        task=task_of(
            str(task_row.get("instance_id") or row.get("docker_image") or ""),
            row.get("problem_statement") or "",
            task_row,
            image=row.get("docker_image") or "",
            repo=str(task_row.get("repo") or task_row.get("repo_name") or ""),
        ),
        seen=len(steps),
        outcome=outcome_of(None if row.get("reward") is None else row["reward"] == 1.0),
        model=str((row.get("agent_args") or {}).get("llm_name") or ""),
    )


def _call(action: str) -> ToolCall | None:
    try:
        return split_xml(action, lambda name: False)[1]
    except MalformedReply:
        return None


R2E_GYM = LogFormat(name="r2e_gym", matches=_matches, read=_read)

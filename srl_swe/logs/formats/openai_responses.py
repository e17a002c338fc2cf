"""Rollouts of NeMo-Gym: `responses_create_params` in, OpenAI Responses items out, a reward beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from srl_swe_envs.recorded_toolsets import toolset_of

from ..items import calls_of, read_items
from ..messages import text_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder
from .mini_v2 import submission


def _matches(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("response"), dict):
        return False
    return isinstance(row["response"].get("output"), list) and isinstance(row.get("responses_create_params"), dict)


def _read(row: dict[str, Any], origin: Origin) -> Reading:
    request, items = row["responses_create_params"], row["response"]["output"]
    asked = request.get("input")
    asked = [{"type": "message", "role": "user", "content": asked}] if isinstance(asked, str) else list(asked or ())
    builder = TurnBuilder()
    read_items([*asked, *items], toolset_of(calls_of(items)), builder, submission)
    metadata = {**(row.get("metadata") or {}), **(request.get("metadata") or {})}
    resolved = row.get("resolved")
    if resolved is None and isinstance(row.get("reward"), int | float):
        resolved = row["reward"] == 1.0
    return builder.finish(
        source="openai_responses",
        origin=origin,
        task=task_of(
            str(row.get("instance_id") or metadata.get("instance_id") or ""),
            next((text_of(item.get("content")) for item in asked if item.get("role") == "user"), ""),
            _instance(metadata),
        ),
        seen=len(asked) + len(items),
        outcome=outcome_of(resolved),
        model=str(row["response"].get("model") or request.get("model") or ""),
    )


def _instance(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The task row, which NeMo-Gym carries as JSON text."""
    text = metadata.get("instance_dict")
    row = json.loads(text) if isinstance(text, str) else text
    row = row if isinstance(row, dict) else {}
    return {**row, "problem_statement": metadata.get("problem_statement") or row.get("problem_statement")}


OPENAI_RESPONSES = LogFormat(name="openai_responses", matches=_matches, read=_read)

"""This project's own canonical lines, so that a file that `ingest` wrote can be read again."""

from __future__ import annotations

from typing import Any

from srl_swe_envs.trajectories import trajectory_from_json

from ..reading import LogFormat, Origin, Reading


def _matches(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("schema", "")).startswith("srl-swe/trajectory/")


def _read(value: dict[str, Any], origin: Origin) -> Reading:
    trajectory = trajectory_from_json(value)
    return Reading(trajectory=trajectory, origin=origin, seen=len(trajectory.turns))


CANONICAL = LogFormat(name="canonical", matches=_matches, read=_read)

"""Recorded expert trajectories and their canonical JSON Lines form.

One line is one trajectory; `trajectories/README.md` documents the schema. `SCHEMA` is written into every line
and checked when reading, so that a file of another version is refused with its line number rather than misread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from . import actions
from .actions import Action, OtherCall
from .errors import TrajectoryFormatError
from .tasks import Task

SCHEMA = "srl-swe/trajectory/1"

Outcome = Literal["resolved", "unresolved", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the agent saw after its action."""

    text: str
    exit_code: int | None = None
    """None where the log does not tell, or the command timed out."""
    elided_chars: int = 0
    """How many characters were left out of `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Thought, action and what came back; the last turn of a log often lacks the observation.

    A turn that carried several tool calls becomes several turns: the first has the thought, all but the last have
    `parallel=True` (their observation came back together with the last one's).
    """

    thought: str
    action: Action
    observation: Observation | None = None
    parallel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """An expert's way through one task."""

    id: str
    task: Task
    turns: tuple[Turn, ...]
    source: str
    """Format it was read from, e.g. `swe_agent_1x`."""
    outcome: Outcome = "unknown"
    model: str = ""
    """The expert's name where the log tells."""
    contaminated: str = ""
    """Why this trajectory must not be trained on when SWE-bench Verified is the benchmark; empty if it may be."""


def trajectory_to_json(trajectory: Trajectory) -> dict[str, Any]:
    """The JSON object of a trajectory (inverse of `trajectory_from_json`)."""
    record = _fields(trajectory)
    record["task"] = {k: v for k, v in asdict(trajectory.task).items() if v or k in ("id", "problem")}
    record["turns"] = [_turn_to_json(turn) for turn in trajectory.turns]
    return {"schema": SCHEMA, **record}


def trajectory_from_json(record: dict[str, Any]) -> Trajectory:
    """A trajectory from its JSON object; raises ValueError, KeyError or TypeError when it does not fit."""
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema is {record.get('schema')!r}, expected {SCHEMA!r}")
    task: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record["task"].items()}
    return Trajectory(
        id=record["id"],
        task=Task(**task),
        turns=tuple(_turn_from_json(turn) for turn in record["turns"]),
        source=record["source"],
        outcome=record.get("outcome", "unknown"),
        model=record.get("model", ""),
        contaminated=record.get("contaminated", ""),
    )


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> int:
    """Write trajectories as JSON Lines, one at a time; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for trajectory in trajectories:
            file.write(json.dumps(trajectory_to_json(trajectory), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """Trajectories of a canonical file, one at a time; TrajectoryFormatError names file and line."""
    with path.open("rb") as file:  # so that a line which is no UTF-8 has its number
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield trajectory_from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrajectoryFormatError(f"{path}:{number}: not a {SCHEMA} line: {error}") from error


def action_to_json(action: Action) -> dict[str, Any]:
    """`{"kind": "shell", "command": ...}` and so on."""
    record = _fields(action)
    if isinstance(action, OtherCall):
        record["arguments"] = dict(action.arguments)
    return {"kind": type(action).__name__, **record}


def action_from_json(record: dict[str, Any]) -> Action:
    """Inverse of `action_to_json`; raises ValueError on an unknown kind, TypeError on values that are no text."""
    kinds = {name: getattr(actions, name) for name in _ACTION_NAMES}
    values = {k: v for k, v in record.items() if k != "kind"}
    if record.get("kind") not in kinds:
        raise ValueError(f"unknown action kind {record.get('kind')!r}; known: {', '.join(_ACTION_NAMES)}")
    if record["kind"] == "View" and values.get("lines") is not None:
        values["lines"] = tuple(values["lines"])
    action: Action = kinds[record["kind"]](**values)
    for field in fields(action):  # whose types are the annotations' text
        if field.type == "str" and not isinstance(getattr(action, field.name), str):
            raise TypeError(f"{field.name}: text is expected, not {getattr(action, field.name)!r}")
    return action


_ACTION_NAMES = ("Shell", "View", "Create", "Replace", "Insert", "Undo", "Submit", "OtherCall")


def _fields(item: Trajectory | Action | Observation) -> dict[str, Any]:
    """The fields of a dataclass by name, without copying or converting their values."""
    return {field.name: getattr(item, field.name) for field in fields(item)}


def _turn_to_json(turn: Turn) -> dict[str, Any]:
    record: dict[str, Any] = {"thought": turn.thought, "action": action_to_json(turn.action)}
    if turn.observation is not None:
        record["observation"] = {k: v for k, v in _fields(turn.observation).items() if v or k == "text"}
        record["observation"]["exit_code"] = turn.observation.exit_code
    if turn.parallel:
        record["parallel"] = True
    return record


def _turn_from_json(record: dict[str, Any]) -> Turn:
    observation = record.get("observation")
    return Turn(
        thought=record["thought"],
        action=action_from_json(record["action"]),
        observation=Observation(**observation) if observation is not None else None,
        parallel=record.get("parallel", False),
    )

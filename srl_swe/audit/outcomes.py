"""Whether rollouts that come closer to the expert solve more tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srl_swe_envs.actions import canonical_text
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.similarity import similarity_batch

from ..domains.math.answers import last_boxed
from ..domains.math.solutions import Solution, problem_digest
from ..evaluation.store import read_json_lines
from ..intervals import bootstrap_estimate, rank_correlation
from ..rollout import rollout_from_json
from ..training.data import RunData

FEWEST = 8
"""Tasks of each outcome that an interval takes."""
_GRADED = {"resolved": 1.0, "unresolved": 0.0, "empty": 0.0, "not_applied": 0.0, "timed_out": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One rollout's actions (or steps) as texts, and what came of it."""

    task: str
    texts: tuple[str, ...]
    solved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How close a rollout came to its task's expert, the closest of several, and whether it solved the task."""

    task: str
    in_place: float
    """Mean similarity of the expert's n-th action to the rollout's n-th; 0 where the rollout has none."""
    anywhere: float
    """Mean over the expert's actions of the most similar action anywhere in the rollout."""
    solved: float


def outcome_record(data: RunData | None, folders: Sequence[Path]) -> dict[str, Any]:
    """Rank correlations with intervals that resample tasks; `reason` says why there are none."""
    if data is None:
        return {"reason": "the experts' data can't be read"}
    experts: dict[str, list[tuple[str, ...]]] = {}
    for task, texts in _experts(data):
        experts.setdefault(task, []).append(texts)
    pairs = [pair for folder in folders for graded in _graded(folder) for pair in _pairs(graded, experts)]
    if not pairs:
        return {"reason": "no graded rollout of a task that an expert of this run solved; name one with --evaluation"}
    return {
        "rollouts": len(pairs),
        "tasks": len({pair.task for pair in pairs}),
        "solved": sum(pair.solved for pair in pairs) / len(pairs),
        "in_place": _correlation(pairs, [pair.in_place for pair in pairs]),
        "anywhere": _correlation(pairs, [pair.anywhere for pair in pairs]),
        "folders": [str(folder) for folder in folders],
    }


def evaluations_of(run: Path) -> tuple[Path, ...]:
    """Evaluation folders inside a run's folder, and beside it those whose policy lies in it."""
    inside = {path.parent for path in run.rglob("rollouts.jsonl")}
    beside = {path.parent for path in run.resolve().parent.glob("*/run.json") if _is_of(path, run)}
    return tuple(sorted(inside | beside))


def _is_of(settings: Path, run: Path) -> bool:
    try:
        policy = str(json.loads(settings.read_text(encoding="utf-8")).get("policy", ""))
    except (OSError, ValueError):
        return False
    _, _, place = policy.partition(":")
    return bool(place) and Path(place).resolve().is_relative_to(run.resolve())


def _experts(data: RunData) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Texts of experts' actions with their task, or of their steps with their problem; not of those known to fail."""
    for source in (*data.train.sources, *data.heldout.sources):
        if isinstance(source, Solution):
            yield problem_digest(source.problem), tuple(step.text for step in source.steps)
        elif source.task.id and source.outcome != "unresolved":
            yield source.task.id, tuple(canonical_text(turn.action) for turn in source.turns)


def _graded(folder: Path) -> Iterator[Graded]:
    """Rollouts of an evaluation's folder with their grades; raises ConfigError when it is none."""
    for name in ("rollouts.jsonl", "grades.jsonl"):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder}: not an evaluation's folder; it has no {name}")
    rollouts, grades = read_json_lines(folder / "rollouts.jsonl"), read_json_lines(folder / "grades.jsonl")
    for key, record in rollouts.items():
        grade = grades.get(key, {})
        if "replies" in record and "correct" in grade:
            texts = tuple(reply.rpartition("</think>")[2].strip() for reply in record["replies"])
            yield Graded(task=grade.get("problem", ""), texts=texts, solved=float(grade["correct"]))
        elif grade.get("outcome") in _GRADED and "turns" in record:
            rollout = rollout_from_json({name: record[name] for name in _ROLLOUT_KEYS})
            texts = tuple(canonical_text(turn.action) for turn in rollout.as_turns())
            yield Graded(task=key[0], texts=texts, solved=_GRADED[grade["outcome"]])


_ROLLOUT_KEYS = ("task", "policy", "stop", "patch", "duration_s", "turns")


def _pairs(graded: Graded, experts: Mapping[str, Sequence[tuple[str, ...]]]) -> Iterator[Pair]:
    found = [_closeness(graded.texts, expert) for expert in experts.get(graded.task, ()) if expert]
    if found:
        in_place, anywhere = (max(values) for values in zip(*found, strict=True))
        yield Pair(task=graded.task, in_place=in_place, anywhere=anywhere, solved=graded.solved)


def _closeness(said: tuple[str, ...], expert: tuple[str, ...]) -> tuple[float, float]:
    """`in_place` and `anywhere` of one expert."""
    if len(said) == 1 and last_boxed(said[0]) is not None:  # a whole solution in one reply
        expert = ("\n\n".join(expert),)
    beside = [said[place] if place < len(said) else "" for place in range(len(expert))]
    closest = [max(similarity_batch(list(said), one), default=0.0) if said else 0.0 for one in expert]
    return float(similarity_batch(beside, list(expert)).mean()), float(sum(closest) / len(closest))


def _correlation(pairs: Sequence[Pair], values: Sequence[float]) -> dict[str, Any]:
    """Spearman's correlation with the outcome; the interval resamples tasks, because their rollouts go together.

    No interval where fewer than `FEWEST` tasks were solved, or were not: resamples of so few say too little. With 1 of
    20 solved, and no relation at all, an interval would leave out 0 in 62 of 100 cases, with `FEWEST` in 7 to 9.
    """
    by_task: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_task.setdefault(pair.task, []).append(place)
    groups = list(by_task.values())

    def correlation(drawn: Sequence[int]) -> float:
        places = [place for group in drawn for place in groups[group]]
        return rank_correlation([values[place] for place in places], [pairs[place].solved for place in places])

    found = bootstrap_estimate(len(groups), correlation, rounds=1000)
    solved = sum(any(pairs[place].solved for place in group) for group in groups)
    unsolved = sum(not all(pairs[place].solved for place in group) for group in groups)
    if min(solved, unsolved) < FEWEST:
        found = replace(found, low=math.nan, high=math.nan)
    return found.record()

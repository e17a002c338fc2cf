"""The lint report of reading logs: what came out of each format, what was left out and why, what could not be read.

Counters only, so that its size does not grow with the number of trajectories, except for the list of problem files
and a capped sample of lengths. `LintReport.as_json` is the file that `--report` writes; `report_table` is for people.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from srl_swe_envs.actions import kind_of

from .reading import Event, Problem, Reading, Skipped

REPORT_SCHEMA = "srl-swe/lint-report/1"
_QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
_SAMPLE = 10_000
"""Lengths kept per format; beyond that a uniform sample, and quantiles are estimates."""


@dataclass(slots=True)
class FormatReport:
    """What one format gave."""

    trajectories: int = 0
    without_turns: int = 0
    """Conversations without a single action; they are counted here and not as trajectories."""
    contaminated: int = 0
    contaminated_turns: int = 0
    turns: int = 0
    parallel_turns: int = 0
    turns_without_observation: int = 0
    records: int = 0
    """Messages, steps and events in the logs; a reply with several calls counts once for each."""
    context: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    turns_per_trajectory: _Sample = field(default_factory=lambda: _Sample())
    chars_per_trajectory: _Sample = field(default_factory=lambda: _Sample())

    @property
    def unexplained(self) -> int:
        """Records that neither became a turn nor have a reason; 0 unless a reader is wrong."""
        return self.records - self.turns - self.context.total() - self.dropped.total()

    def add(self, reading: Reading) -> None:
        """Count one trajectory."""
        turns = reading.trajectory.turns
        self.records += reading.seen
        self.context.update(reading.context)
        self.dropped.update(reading.dropped)
        if not turns:
            self.without_turns += 1
            return
        self.trajectories += 1
        self.turns += len(turns)
        self.parallel_turns += sum(turn.parallel for turn in turns)
        self.turns_without_observation += sum(turn.observation is None for turn in turns)
        self.actions.update(kind_of(turn.action) for turn in turns)
        self.outcomes[reading.trajectory.outcome] += 1
        if reading.trajectory.contaminated:
            self.contaminated += 1
            self.contaminated_turns += len(turns)
        self.turns_per_trajectory.add(len(turns))
        self.chars_per_trajectory.add(
            sum(len(turn.thought) + len(turn.observation.text if turn.observation else "") for turn in turns)
        )

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {
            "trajectories": self.trajectories,
            "without_turns": self.without_turns,
            "contaminated": self.contaminated,
            "contaminated_turns": self.contaminated_turns,
            "records": self.records,
            "turns": self.turns,
            "parallel_turns": self.parallel_turns,
            "turns_without_observation": self.turns_without_observation,
            "unexplained_records": self.unexplained,
            "context": dict(self.context.most_common()),
            "dropped": dict(self.dropped.most_common()),
            "actions": dict(self.actions.most_common()),
            "outcomes": dict(self.outcomes.most_common()),
            "turns_per_trajectory": self.turns_per_trajectory.quantiles(),
            "chars_per_trajectory": self.chars_per_trajectory.quantiles(),
        }


@dataclass(slots=True)
class LintReport:
    """All formats together, and the files that gave nothing."""

    formats: dict[str, FormatReport] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    written: int = 0
    """Trajectories that went into the output."""

    def add(self, event: Event) -> None:
        """Count what a scan gave."""
        if isinstance(event, Reading):
            self.formats.setdefault(event.trajectory.source, FormatReport()).add(event)
        elif isinstance(event, Problem):
            self.problems.append(event)
        else:
            self.skipped.append(event)

    def total(self) -> FormatReport:
        """The sum over formats; its length samples are left empty."""
        total = FormatReport()
        for report in self.formats.values():
            for name in ("trajectories", "without_turns", "contaminated", "contaminated_turns", "turns", "records"):
                setattr(total, name, getattr(total, name) + getattr(report, name))
            total.parallel_turns += report.parallel_turns
            total.turns_without_observation += report.turns_without_observation
            for counts in ("context", "dropped", "actions", "outcomes"):
                getattr(total, counts).update(getattr(report, counts))
        return total

    def as_json(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        return {
            "schema": REPORT_SCHEMA,
            "written": self.written,
            "total": self.total().as_json(),
            "formats": {name: report.as_json() for name, report in sorted(self.formats.items())},
            "problems": [{"file": p.origin.path, "line": p.origin.line, "reason": p.reason} for p in self.problems],
            "files_without_agent_steps": [{"file": s.path, "reason": s.reason} for s in self.skipped],
        }


class _Sample:
    """A uniform sample of a stream of numbers, of bounded size and the same on every run (reservoir sampling)."""

    def __init__(self) -> None:
        self._values: list[int] = []
        self._seen = 0
        self._random = random.Random(0)

    def add(self, value: int) -> None:
        self._seen += 1
        if len(self._values) < _SAMPLE:
            self._values.append(value)
        elif (place := self._random.randrange(self._seen)) < _SAMPLE:
            self._values[place] = value

    def quantiles(self) -> dict[str, int]:
        """Nearest-rank quantiles; empty for an empty sample."""
        ordered = sorted(self._values)
        return {name: ordered[round(share * (len(ordered) - 1))] for name, share in _QUANTILES.items() if ordered}

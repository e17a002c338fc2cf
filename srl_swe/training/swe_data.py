"""The software-engineering domain of a run: agent logs, filtered by outcome and contamination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.trajectories import Trajectory

from ..conversations import Conversation
from ..domains.swe import SweScorer, SweSteps
from ..logs import Problem, Reading, Skipped, read_benchmark, scan_logs
from ..prompts import load_prompts
from .domain import DataCounts
from .scorers import load_scorer
from .settings import DataSettings, RunSettings


class SweData:
    """See `Domain`; sources are trajectories."""

    def __init__(self, settings: RunSettings, base: Path) -> None:
        prompt = settings.prompt
        self._settings = settings.data
        self._base = base
        self.prompts = load_prompts(
            prompt.dialect,
            folder=base / prompt.folder if prompt.folder else None,
            observation_chars=prompt.observation_chars,
            several=prompt.merge_steps != 1,
        )
        self.steps = SweSteps(
            prompts=self.prompts,
            last_rounds=prompt.last_rounds,
            thoughts=prompt.thoughts,
            include_last=prompt.include_last,
            merge=prompt.merge_steps,
        )
        self.scorer = SweScorer(
            dialect=prompt.dialect, scorer=load_scorer(settings.reward, base), merge=prompt.merge_steps
        )

    def read(self, places: Iterable[str]) -> tuple[list[Trajectory], DataCounts]:
        """See `Domain.read`."""
        settings = self._settings
        counts = DataCounts()
        kept: list[Trajectory] = []
        benchmark = read_benchmark(self._base / settings.benchmark) if settings.benchmark else None
        named = [str(self._base / place) for place in places]
        for event in scan_logs(named, benchmark=benchmark):
            if isinstance(event, Problem):
                counts.unreadable.append(str(event))
            if isinstance(event, Skipped):
                if event.path in named:
                    raise ConfigError(f"{event.path}: {event.reason}; leave it out")
                counts.unused_files.append(f"{event.path}: {event.reason}")
            if not isinstance(event, Reading):
                continue
            trajectory = event.trajectory
            counts.read += 1
            counts.contaminated += bool(trajectory.contaminated)
            reason = _left_out(trajectory, settings)
            if reason:
                counts.left_out[reason] += 1
            elif settings.max_trajectories and len(kept) >= settings.max_trajectories:
                counts.left_out["over_max_trajectories"] += 1
            else:
                kept.append(trajectory)
        return kept, counts

    def task_of(self, source: Trajectory) -> str:
        """See `Domain.task_of`."""
        return source.task.id or source.id

    def conversations(self, source: Trajectory) -> Iterator[Conversation]:
        """See `Domain.conversations`."""
        return self.steps.conversations(source)

    def learn(self, source: Trajectory, counts: DataCounts) -> None:
        """See `Domain.learn`."""
        self.scorer.add(source)
        counts.used += 1
        counts.formats[source.source] += 1
        counts.tasks |= {source.task.id} - {""}
        counts.repositories |= {source.task.repo} - {""}


def _left_out(trajectory: Trajectory, settings: DataSettings) -> str:
    if trajectory.contaminated and not settings.include_contaminated:
        return "contaminated"
    if settings.outcome == "resolved" and trajectory.outcome != "resolved":
        return "not_resolved"
    if settings.outcome == "not_unresolved" and trajectory.outcome == "unresolved":
        return "unresolved"
    return "no_steps" if len(trajectory.turns) < 2 else ""

"""The mathematics domain of a run: solved problems, cut into steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.scorer import TextScorer

from ..conversations import Conversation
from ..domains.math.prompts import load_math_prompts
from ..domains.math.reading import Dropped, problem_of, read_rows, read_solutions
from ..domains.math.scoring import MathScorer
from ..domains.math.solutions import Solution, problem_digest
from ..domains.math.steps import MathSteps
from .domain import DataCounts
from .scorers import load_scorer
from .settings import RunSettings


class MathData:
    """See `Domain`; sources are solutions."""

    def __init__(self, settings: RunSettings, base: Path) -> None:
        prompt = settings.prompt
        self._settings = settings
        self._base = base
        self.prompts = load_math_prompts(base / prompt.folder if prompt.folder else None)
        scorer = load_scorer(settings.reward, base)
        if not isinstance(scorer, TextScorer):
            raise ConfigError(f"reward.scorer: {scorer.name} compares actions, not steps of mathematics")
        self.scorer = MathScorer(
            MathSteps(
                prompts=self.prompts,
                layout=settings.math.layout,
                next_title=settings.math.next_title,
                last_steps=prompt.last_rounds,
                include_last=prompt.include_last,
                merge=prompt.merge_steps,
            ),
            scorer,
        )

    def read(self, places: Iterable[str]) -> tuple[list[Solution], DataCounts]:
        """See `Domain.read`."""
        settings = self._settings.data
        counts = DataCounts()
        kept: list[Solution] = []
        benchmark = self.benchmark()
        for read in read_solutions([self._base / place for place in places], self._settings.math):
            counts.read += 1
            contaminated = isinstance(read, Solution) and problem_digest(read.problem) in benchmark
            counts.contaminated += contaminated
            if isinstance(read, Dropped):
                counts.left_out[read.reason] += 1
                if read.reason == "not_json":
                    counts.unreadable.append(f"{read.place}: not a JSON object")
            elif contaminated and not settings.include_contaminated:
                counts.left_out["contaminated"] += 1
            elif settings.max_trajectories and len(kept) >= settings.max_trajectories:
                counts.left_out["over_max_trajectories"] += 1
            else:
                kept.append(read)
        return kept, counts

    def task_of(self, source: Solution) -> str:
        """See `Domain.task_of`."""
        return problem_digest(source.problem)

    def conversations(self, source: Solution) -> Iterator[Conversation]:
        """See `Domain.conversations`."""
        return self.scorer.steps.conversations(source)

    def learn(self, source: Solution, counts: DataCounts) -> None:
        """See `Domain.learn`."""
        self.scorer.add(source)
        counts.used += 1
        counts.formats[source.boundaries] += 1
        counts.tasks.add(problem_digest(source.problem))

    def benchmark(self) -> frozenset[str]:
        """Digests of the problems that must not be trained on; raises ConfigError when they can't be read."""
        if not self._settings.data.benchmark:
            return frozenset()
        rows = read_rows(self._base / self._settings.data.benchmark)
        return frozenset(problem_digest(problem_of(row.values)) for row in rows if not isinstance(row, Dropped))

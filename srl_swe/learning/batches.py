"""Which steps a training step learns, as a pure function of the seed and the step's number.

Nothing here has state, so a resumed run sees the same batches as one that was never interrupted. Steps of a trajectory
come in runs of at most `cap`, which share a trunk; runs of different trajectories are shuffled together.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .tree.planner import Run, runs


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StepId:
    """A target by its place: trunk number and number of the target on it."""

    trunk: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOrder:
    """An endless shuffled stream of steps; epoch e is a fresh permutation of all of them."""

    target_counts: tuple[int, ...]
    """Number of targets of each trunk."""
    cap: int
    seed: int

    @property
    def size(self) -> int:
        """Steps in one epoch."""
        return sum(self.target_counts)

    def batch(self, number: int, size: int) -> tuple[StepId, ...]:
        """The steps of batch `number` (from 0), `size` or one epoch's; consecutive batches tile the stream."""
        size = min(size, self.size)
        first = number * size
        return tuple(self._at(place) for place in range(first, first + size))

    def batches(self, epochs: float, size: int) -> int:
        """How many batches make so many epochs, at least one."""
        return max(1, math.ceil(epochs * self.size / min(size, self.size)))

    def refill(self, number: int, round_: int, count: int, used: Collection[StepId]) -> tuple[StepId, ...]:
        """Further steps for a batch whose groups taught nothing: first unused ones of its own trunks, whose prefill
        and trunk pass are paid for already, then any others. Fewer than `count` when all are used."""
        chooser = random.Random(f"{self.seed}/{number}/{round_}")
        trunks = sorted({step.trunk for step in used})
        near = [step for trunk in trunks for step in self._targets(trunk) if step not in used]
        chooser.shuffle(near)
        if len(near) >= count:
            return tuple(near[:count])
        others = [trunk for trunk in range(len(self.target_counts)) if trunk not in set(trunks)]
        chooser.shuffle(others)
        far = [step for trunk in others for step in self._targets(trunk)]
        return tuple([*near, *far][:count])

    def _targets(self, trunk: int) -> list[StepId]:
        return [StepId(trunk=trunk, target=target) for target in range(self.target_counts[trunk])]

    def _at(self, place: int) -> StepId:
        epoch, offset = divmod(place, self.size)
        trunk, target = _epoch(self.target_counts, self.cap, self.seed, epoch)[offset]
        return StepId(trunk=trunk, target=target)


def by_trunk(steps: Iterable[StepId]) -> dict[int, tuple[int, ...]]:
    """The targets of each trunk in a batch, in order."""
    found: dict[int, list[int]] = {}
    for step in steps:
        found.setdefault(step.trunk, []).append(step.target)
    return {trunk: tuple(sorted(targets)) for trunk, targets in found.items()}


@lru_cache(maxsize=4)
def _epoch(counts: Sequence[int], cap: int, seed: int, epoch: int) -> tuple[tuple[int, int], ...]:
    cut: tuple[Run, ...] = runs(counts, cap=cap, seed=seed * 1_000_003 + epoch)
    return tuple((run.trajectory, step) for run in cut for step in run.steps)

"""Pivot selection: which steps the start policy can learn from, found out once before training.

After PivotRL (arXiv 2603.21383): G replies of the start policy to every step; steps whose replies all earn the same
teach nothing, steps that it already does need no teaching, and steps that it never comes near can't be learned yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from ..conversations import ReplyScorer
from .batches import StepId
from .chat_tokens import Trunk
from .groups import Group
from .rollout.sampler import ReplySampler, score_group
from .settings import PivotSettings

_CHUNK = 16

PivotVerdict: TypeAlias = Literal["kept", "flat", "solved", "hopeless"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProfile:
    """What the start policy earned at one step."""

    step: StepId
    mean: float
    """Of the rewards that exist; NaN when there is none."""
    std: float
    best: float
    malformed: float
    """Share of replies."""

    @classmethod
    def of(cls, step: StepId, group: Group) -> StepProfile:
        """The profile that a scored group gives."""
        known = group.values[~np.isnan(group.values)]
        return cls(
            step=step,
            mean=float(known.mean()) if len(known) else math.nan,
            std=group.std,
            best=float(known.max()) if len(known) else math.nan,
            malformed=sum(reward.status == "malformed" for reward in group.rewards) / max(len(group.rewards), 1),
        )

    def verdict(self, settings: PivotSettings) -> PivotVerdict:
        """Whether the step is a pivot, and if not, why; a step without rewards can't be known to be one."""
        if math.isnan(self.mean) or self.best <= settings.hopeless:
            return "hopeless"
        if self.mean >= settings.solved:
            return "solved"
        return "kept" if self.std > settings.min_std else "flat"


def profile_steps(
    model: Any,
    trunks: Sequence[Trunk],
    chunks: Iterable[int],
    sampler: ReplySampler,
    scorer: ReplyScorer,
    settings: PivotSettings,
    *,
    seed: int,
) -> Iterator[tuple[StepProfile, ...]]:
    """Profiles of all steps of some chunks of trunks, chunk after chunk.

    What a chunk's replies are depends on the seed and the chunk's number alone, so that profiling can be shared and
    taken up.
    """
    for chunk in chunks:
        numbers = chunk_of(trunks, chunk)
        requests = [(trunks[number], tuple(range(len(trunks[number].targets)))) for number in numbers]
        groups = sampler.sample(model, requests, replies=settings.replies, seed=seed * 1_000_003 + chunk)
        steps = [StepId(trunk=n, target=target) for n in numbers for target in range(len(trunks[n].targets))]
        yield tuple(StepProfile.of(step, score_group(group, scorer)) for step, group in zip(steps, groups, strict=True))


def chunk_number(trunk: int) -> int:
    """The chunk that a trunk belongs to."""
    return trunk // _CHUNK


def chunk_of(trunks: Sequence[Trunk], chunk: int) -> range:
    """Numbers of the trunks that are profiled together; empty behind the last chunk."""
    return range(min(chunk * _CHUNK, len(trunks)), min((chunk + 1) * _CHUNK, len(trunks)))


def pivots(trunks: Sequence[Trunk], profiles: Iterable[StepProfile], settings: PivotSettings) -> tuple[Trunk, ...]:
    """The trunks with their pivots alone; those of the upper half by deviation come `weight` times in an epoch.

    Trunks without a pivot are left out. Empty when there is no pivot at all.
    """
    kept = {profile.step: profile for profile in profiles if profile.verdict(settings) == "kept"}
    deviations = sorted(profile.std for profile in kept.values())
    middle = deviations[len(deviations) // 2] if deviations else 0.0
    heavy = {step for step, profile in kept.items() if profile.std >= middle}
    copies = [_with(trunks, kept), *(_with(trunks, heavy) for _ in range(settings.weight - 1))]
    return tuple(trunk for copy in copies for trunk in copy)


def _with(trunks: Sequence[Trunk], wanted: Iterable[StepId]) -> Iterator[Trunk]:
    """Trunks with only some of their targets."""
    chosen = frozenset(wanted)
    for number, trunk in enumerate(trunks):
        targets = tuple(
            target for place, target in enumerate(trunk.targets) if StepId(trunk=number, target=place) in chosen
        )
        if targets:
            yield replace(trunk, targets=targets)

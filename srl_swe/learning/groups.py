"""Groups: the G replies to one prompt, their rewards, and what a group teaches.

Dynamic sampling (arXiv 2510.25992, eq. 3) keeps a group iff the population standard deviation of its rewards exceeds
epsilon. Rewards that infrastructure spoiled have no part in mean, deviation or gradient.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srl_swe_envs.rewards.score import StepReward

from .batches import StepId
from .chat_tokens import Trunk

_ROUNDING = 1e-9
"""Equal rewards deviate by less: their mean is rounded, and its error over such a deviation is an advantage of 1."""


def deviation(rewards: ArrayLike) -> float:
    """Population standard deviation; 0 where fewer than two rewards are, or all of them are equal."""
    values = np.asarray(rewards, dtype=np.float64)
    std = float(values.std()) if values.size > 1 else 0.0
    return std if std > _ROUNDING else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledReply:
    """One reply as token ids, with the log-probability the sampler gave each."""

    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    text: str
    ended: bool
    """False when the token limit cut it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """G replies to the prompt of `trunk.targets[target]`."""

    trunk: Trunk
    target: int
    replies: tuple[SampledReply, ...]
    rewards: tuple[StepReward, ...]

    @property
    def values(self) -> NDArray[np.float64]:
        """Rewards, shape (G,); NaN where there is none."""
        return np.array([reward.value for reward in self.rewards])

    @property
    def std(self) -> float:
        """`deviation` of the rewards that exist."""
        return deviation(self.values[~np.isnan(self.values)])

    def advantages(self, *, normalise: bool = True) -> tuple[float, ...]:
        """(r - mean) / std for each reply (eq. 1), or r - mean; 0 where there is no reward or no deviation."""
        values = self.values
        known = ~np.isnan(values)
        if self.std == 0.0:
            return (0.0,) * len(values)
        centred = np.where(known, values - values[known].mean(), 0.0)
        return tuple(float(a) for a in (centred / self.std if normalise else centred))


Verdict: TypeAlias = Literal["kept", "all_malformed", "all_perfect", "all_equal", "without_reward"]
"""What the filter says of a group; `all_equal` is a deviation of at most epsilon for another reason."""


def verdict(group: Group, epsilon: float) -> Verdict:
    """Whether a group teaches anything, and if not, why."""
    known = [reward for reward in group.rewards if not math.isnan(reward.value)]
    if len(known) < 2:
        return "without_reward"
    if group.std > epsilon:
        return "kept"
    if all(reward.status == "malformed" for reward in known):
        return "all_malformed"
    return "all_perfect" if all(reward.value == 1.0 for reward in known) else "all_equal"


@dataclass(slots=True, kw_only=True)
class DynamicSampling:
    """Decides, round after round, which groups make up a batch of `wanted`; the same on every rank.

    With `enabled=False` every group that has rewards is kept, as plain GRPO does.
    """

    wanted: int
    enabled: bool = True
    kept: int = 0
    rounds: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def sampled(self) -> int:
        """Groups seen so far."""
        return sum(self.verdicts.values())

    @property
    def missing(self) -> int:
        """How many groups the batch still lacks."""
        return max(0, self.wanted - self.kept)

    def add(self, round_: Iterable[tuple[StepId, Verdict]]) -> frozenset[StepId]:
        """The steps of one round whose groups join the batch, in order, never more than are wanted."""
        self.rounds += 1
        joined = []
        for step, said in round_:
            self.verdicts[said] += 1
            passes = said == "kept" or (not self.enabled and said != "without_reward")
            if passes and self.missing:
                self.kept += 1
                joined.append(step)
        return frozenset(joined)

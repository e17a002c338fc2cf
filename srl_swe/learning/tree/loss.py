"""The loss of a batch of trees as a sum over loss terms, so that rows can be forwarded in any order and number.

Policy term (GRPO, the paper's Eq. 1): ratio = exp(logp - sampler's logp), or exp(logp - logp.detach()) where the
sampler gave none; minus min(ratio * A, clip(ratio, 1 - clip_low, 1 + clip_high) * A). There is no KL term, as in the
paper. Aggregation "response": mean over a reply's tokens, then over replies; "token": mean over all tokens. Expert
term: minus expert_weight times the mean log-probability of the expert's tokens. Every divisor is known before the
forward (`Normaliser`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from .layout import EXPERT, Terms
from .types import Tree

Aggregation = Literal["response", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """How loss terms become a loss (see the module's docstring); clip_high > clip_low is clip-higher (DAPO)."""

    clip_low: float = 0.2
    clip_high: float = 0.2
    aggregation: Aggregation = "response"
    expert_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.aggregation not in ("response", "token"):
            raise ValueError(f"aggregation is {self.aggregation!r}; it is 'response' or 'token'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normaliser:
    """Divisors of a whole batch: replies and their trained tokens, and expert tokens. Add ranks' to share them."""

    replies: float = 0.0
    tokens: float = 0.0
    expert_tokens: float = 0.0

    @classmethod
    def of(cls, trees: Iterable[Tree]) -> Normaliser:
        """Counts of trees; take them before `drop_still`, so that replies without gradient still count."""
        total = cls()
        for tree in trees:
            lengths = [len(branch.trained_offsets) for branch in tree.branches]
            expert = {offset for begin, end in tree.expert_spans for offset in range(begin, end)}
            total += cls(
                replies=float(sum(1 for n in lengths if n)),
                tokens=float(sum(lengths)),
                expert_tokens=float(len(expert)),
            )
        return total

    def __add__(self, other: Normaliser) -> Normaliser:
        return Normaliser(
            replies=self.replies + other.replies,
            tokens=self.tokens + other.tokens,
            expert_tokens=self.expert_tokens + other.expert_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSums:
    """Sums over loss terms, plain floats, to be added over rows and ranks; the `mean_...` properties divide.

    loss: the (normalised) loss of the terms; entropy, sampler_gap (|trainer's - sampler's log-probability|), ratio and
    the two clip counts are over reply tokens; expert_nll over expert tokens.
    """

    loss: float = 0.0
    tokens: float = 0.0
    entropy: float = 0.0
    compared_tokens: float = 0.0
    sampler_gap: float = 0.0
    ratio: float = 0.0
    clipped_low: float = 0.0
    clipped_high: float = 0.0
    expert_tokens: float = 0.0
    expert_nll: float = 0.0
    largest_sampler_gap: float = 0.0

    def __add__(self, other: LossSums) -> LossSums:
        names = [field.name for field in fields(self) if field.name != "largest_sampler_gap"]
        added = {name: getattr(self, name) + getattr(other, name) for name in names}
        return LossSums(**added, largest_sampler_gap=max(self.largest_sampler_gap, other.largest_sampler_gap))

    @property
    def mean_entropy(self) -> float:
        """Nats per reply token."""
        return self.entropy / max(self.tokens, 1.0)

    @property
    def mean_sampler_gap(self) -> float:
        """Mean size of the difference between trainer's and sampler's log-probability."""
        return self.sampler_gap / max(self.compared_tokens, 1.0)

    @property
    def mean_expert_nll(self) -> float:
        """Nats per expert token."""
        return self.expert_nll / max(self.expert_tokens, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermValues:
    """What the loss needs of each term, `[M]` tensors; sampler is NaN where there is none."""

    weight: Tensor
    advantage: Tensor
    sampler: Tensor
    expert: Tensor


def term_values(
    terms: Terms, trees: Sequence[Tree], normaliser: Normaliser, config: LossConfig, like: Tensor
) -> TermValues:
    """Values of a row's terms, on the device and in the type of `like` (its log-probabilities)."""
    rows = []
    lengths: dict[tuple[int, int], int] = {}
    for tree, which, offset in zip(terms.trees, terms.branches, terms.offsets, strict=True):
        if which == EXPERT:
            rows.append((config.expert_weight / max(normaliser.expert_tokens, 1.0), 0.0, torch.nan, 1.0))
            continue
        branch = trees[tree].branches[which]
        if (tree, which) not in lengths:
            lengths[tree, which] = len(branch.trained_offsets)
        weight = (
            1.0 / max(normaliser.tokens, 1.0)
            if config.aggregation == "token"
            else 1.0 / (lengths[tree, which] * max(normaliser.replies, 1.0))
        )
        sampler = torch.nan if branch.sampler_logps is None else branch.sampler_logps[offset]
        rows.append((weight, branch.advantage_at(offset), sampler, 0.0))
    columns = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4).T.to(like.device, like.dtype)
    weight, advantage, sampler, expert = columns
    return TermValues(weight=weight, advantage=advantage, sampler=sampler, expert=expert > 0)


def tree_loss(logps: Tensor, entropies: Tensor, values: TermValues, config: LossConfig) -> tuple[Tensor, LossSums]:
    """The loss of some terms (scalar, with gradient) and their sums. logps, entropies: `[M]`."""
    compared = ~values.sampler.isnan()
    old = torch.where(compared, values.sampler, logps.detach())
    ratio = torch.exp(logps - old)
    clipped = ratio.clamp(1 - config.clip_low, 1 + config.clip_high)
    policy = -torch.minimum(ratio * values.advantage, clipped * values.advantage)
    per_term = torch.where(values.expert, -logps, policy)
    loss = (values.weight * per_term).sum()
    return loss, _sums(loss, logps.detach(), entropies, values, ratio.detach(), config)


def _sums(
    loss: Tensor, logps: Tensor, entropies: Tensor, values: TermValues, ratio: Tensor, config: LossConfig
) -> LossSums:
    reply = ~values.expert
    compared = reply & ~values.sampler.isnan()
    gap = torch.where(compared, (logps - values.sampler).abs(), 0.0)
    low = reply & (ratio < 1 - config.clip_low) & (values.advantage < 0)
    high = reply & (ratio > 1 + config.clip_high) & (values.advantage > 0)
    largest = gap.max() if gap.numel() else gap.new_zeros(())
    found = torch.stack(
        [
            loss.detach(),
            reply.sum().to(logps.dtype),
            entropies[reply].sum(),
            compared.sum().to(logps.dtype),
            gap.sum(),
            ratio[reply].sum(),
            low.sum().to(logps.dtype),
            high.sum().to(logps.dtype),
            values.expert.sum().to(logps.dtype),
            -logps[values.expert].sum(),
            largest,
        ]
    ).tolist()
    return LossSums(**dict(zip((field.name for field in fields(LossSums)), found, strict=True)))

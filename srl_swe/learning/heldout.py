"""Held-out reward: one reply to every held-out step, scored as in training.

Sampled at the training temperature it is an unbiased estimate of what training maximises; greedy it is what evaluation
uses. A trainer measures both and picks its best checkpoint by the sampled one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from srl_swe_envs.rewards.score import StepReward

from ..conversations import ReplyScorer
from .chat_tokens import ChatTokenizer, Trunk
from .groups import Group, SampledReply
from .rollout.sampler import ReplySampler, score_group

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class HeldoutResult:
    """Means over held-out steps; add results of several ranks."""

    steps: int = 0
    reward_sum: float = 0.0
    similarity_sum: float = 0.0
    exact: int = 0
    malformed: int = 0
    truncated: int = 0
    reply_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reward: StepReward, reply: SampledReply) -> None:
        """Count one reply."""
        self.steps += 1
        self.reward_sum += reward.value
        self.similarity_sum += reward.similarity or 0.0
        self.exact += reward.similarity == 1.0
        self.malformed += reward.status == "malformed"
        self.truncated += not reply.ended
        self.reply_tokens += len(reply.token_ids)
        if reward.reason:
            self.reasons[reward.reason] += 1

    def __add__(self, other: HeldoutResult) -> HeldoutResult:
        return HeldoutResult(
            steps=self.steps + other.steps,
            reward_sum=self.reward_sum + other.reward_sum,
            similarity_sum=self.similarity_sum + other.similarity_sum,
            exact=self.exact + other.exact,
            malformed=self.malformed + other.malformed,
            truncated=self.truncated + other.truncated,
            reply_tokens=self.reply_tokens + other.reply_tokens,
            reasons=self.reasons + other.reasons,
        )

    def metrics(self) -> dict[str, float]:
        """`reward` is the mean value (-1 for malformed), `similarity` counts malformed as 0, the rest are rates."""
        count = max(self.steps, 1)
        return {
            "reward": self.reward_sum / count,
            "similarity": self.similarity_sum / count,
            "exact_match": self.exact / count,
            "malformed": self.malformed / count,
            "truncated": self.truncated / count,
            "reply_tokens": self.reply_tokens / count,
            "steps": float(self.steps),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Heldout:
    """Held-out steps and what measures replies to them."""

    trunks: tuple[Trunk, ...]
    scorer: ReplyScorer
    chat: ChatTokenizer

    def measure(self, sampler: ReplySampler, model: Any, *, greedy: bool) -> tuple[HeldoutResult, tuple[Group, ...]]:
        """Replies of a model, scored: the counts and the groups of one reply each. The draws are always the same."""
        requests = [(trunk, tuple(range(len(trunk.targets)))) for trunk in self.trunks]
        sampled = sampler.sample(model, requests, replies=1, seed=0, greedy=greedy)
        groups = tuple(score_group(group, self.scorer) for group in sampled)
        result = HeldoutResult()
        for group in groups:
            result.add(group.rewards[0], group.replies[0])
        return result, groups

    def share(self, rank: int, ranks: int) -> Heldout:
        """The part of the held-out steps that one of several ranks measures."""
        return Heldout(trunks=self.trunks[rank::ranks], scorer=self.scorer, chat=self.chat)


def spread(items: Sequence[T], count: int) -> tuple[T, ...]:
    """At most `count` items, evenly spread over all of them."""
    if len(items) <= count:
        return tuple(items)
    return tuple(items[len(items) * place // count] for place in range(count))


def thin(trunks: Sequence[Trunk], max_steps: int) -> tuple[Trunk, ...]:
    """At most `max_steps` targets, spread evenly over all of them; 0 keeps everything."""
    places = [(number, target) for number, trunk in enumerate(trunks) for target in trunk.targets]
    if not max_steps or len(places) <= max_steps:
        return tuple(trunks)
    chosen = spread(places, max_steps)
    kept = []
    for number, trunk in enumerate(trunks):
        targets = tuple(target for owner, target in chosen if owner == number)
        if targets:
            kept.append(replace(trunk, targets=targets))
    return tuple(kept)

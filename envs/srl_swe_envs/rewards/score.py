"""The reward of a reply: the one function that `SweEnv.step`, training and offline scoring all call.

A reply that follows its dialect is worth its action's similarity to the expert's, in [0, 1]; one that does not is
worth -1 (arXiv 2510.25992, section 4.2). What the infrastructure spoiled or the caller leaves out has no value at all
(NaN), so that it can't slip into a mean or a group's deviation unseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..actions import Action
from ..dialects import dialect_named, parse_actions, parse_reply
from ..errors import ConfigError, MalformedReply
from ..steps import StepInstance
from .characters import Characters
from .scorer import Scorer, Target, TextScorer, experts_of, foreign_tools_of

Status: TypeAlias = Literal["scored", "malformed", "infra", "masked"]

MALFORMED_VALUE = -1.0

CHARACTERS = Characters()
"""The default scorer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReward:
    """What one reply earned, and where the number comes from."""

    value: float
    """Similarity or outcome when scored, -1 when malformed, NaN otherwise: not a reward."""
    similarity: float | None
    """None unless scored against an expert."""
    status: Status
    reason: str = ""
    """Why there is no similarity: a code of `dialects.REASONS` when malformed, free text otherwise."""

    @classmethod
    def scored(cls, similarity: float) -> StepReward:
        """The reward of a well-formed reply."""
        return cls(value=similarity, similarity=similarity, status="scored")

    @classmethod
    def outcome(cls, *, succeeded: bool) -> StepReward:
        """The reward of a whole episode by its task's own verdict; nothing is compared with an expert."""
        return cls(value=float(succeeded), similarity=None, status="scored")

    @classmethod
    def malformed(cls, reason: str) -> StepReward:
        """The reward of a reply that does not follow its dialect."""
        return cls(value=MALFORMED_VALUE, similarity=None, status="malformed", reason=reason)

    @classmethod
    def infra(cls, reason: str) -> StepReward:
        """No reward: the infrastructure failed."""
        return cls(value=math.nan, similarity=None, status="infra", reason=reason)

    @classmethod
    def masked(cls, reason: str) -> StepReward:
        """No reward: left out on purpose, e.g. there is no expert to compare with."""
        return cls(value=math.nan, similarity=None, status="masked", reason=reason)


def score(reply: str, target: Target, dialect: str, *, scorer: Scorer = CHARACTERS) -> StepReward:
    """The reward of one reply; see `score_replies`."""
    return score_replies((reply,), target, dialect, scorer=scorer)[0]


def score_replies(
    replies: Sequence[str],
    targets: Target | Sequence[Target],
    dialect: str,
    *,
    scorer: Scorer = CHARACTERS,
    truncated: Sequence[bool] = (),
    thought_required: bool = True,
) -> tuple[StepReward, ...]:
    """Rewards of replies, in order, against one target (a group) or one target each.

    `truncated` marks replies that hit the token limit: they are malformed whatever they hold. Where a target is a step
    of several actions, replies may hold one or more, and the texts of all of them together are compared.

    Raises ConfigError for an unknown dialect, lengths that do not agree, or a scorer that can't compare several
    actions; never for anything that a reply says.
    """
    dialect_named(dialect)  # a misspelt name must not hide behind malformed replies
    each = _one_each(targets, len(replies))
    if truncated and len(truncated) != len(replies):
        raise ConfigError(f"{len(replies)} replies but {len(truncated)} marks of truncation")
    cut = truncated or (False,) * len(replies)
    parsed = [
        "truncated" if is_cut else _actions_or_reason(reply, target, dialect, thought_required)
        for reply, target, is_cut in zip(replies, each, cut, strict=True)
    ]
    places = [place for place, item in enumerate(parsed) if not isinstance(item, str)]
    actions = [item for item in parsed if not isinstance(item, str)]
    found = _similarities(actions, [each[place] for place in places], dialect, scorer)
    similarities = dict(zip(places, found, strict=True))
    return tuple(
        StepReward.malformed(item) if isinstance(item, str) else StepReward.scored(similarities[place])
        for place, item in enumerate(parsed)
    )


def _one_each(targets: Target | Sequence[Target], count: int) -> tuple[Target, ...]:
    if not isinstance(targets, Sequence):
        return (targets,) * count
    if len(targets) != count:
        raise ConfigError(f"{count} replies but {len(targets)} targets: give one, or one each")
    return tuple(targets)


def _several(target: Target) -> bool:
    return isinstance(target, StepInstance) and target.then is not None


def _actions_or_reason(reply: str, target: Target, dialect: str, thought_required: bool) -> tuple[Action, ...] | str:
    """The reply's actions, one unless the target is a step of several, or the code that says why there is none."""
    foreign = foreign_tools_of(target)
    try:
        if _several(target):
            return parse_actions(reply, dialect, thought_required=thought_required, foreign_tools=foreign)
        return (parse_reply(reply, dialect, thought_required=thought_required, foreign_tools=foreign).action,)
    except MalformedReply as error:
        return error.reason


def _similarities(
    actions: Sequence[tuple[Action, ...]], targets: Sequence[Target], dialect: str, scorer: Scorer
) -> list[float]:
    """Similarities of well-formed replies; of steps of several actions, those of the texts of all of them."""
    if not actions:
        return []
    if not any(_several(target) for target in targets):
        return [float(value) for value in scorer.similarities([one for (one,) in actions], targets, dialect)]
    if not isinstance(scorer, TextScorer):
        raise ConfigError(f"the scorer {scorer.name} can't compare several actions; characters and tokens can")
    texts = ["\n".join(scorer.text(action, dialect) for action in said) for said in actions]
    experts = ["\n".join(scorer.text(action, dialect) for action in experts_of(target)) for target in targets]
    return [float(value) for value in scorer.compare(texts, experts)]

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
from ..dialects import dialect_named, parse_reply
from ..errors import ConfigError, MalformedReply
from .characters import Characters
from .scorer import Scorer, Target, foreign_tools_of

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

    `truncated` marks replies that hit the token limit: they are malformed whatever they hold. Raises ConfigError for
    an unknown dialect or lengths that do not agree; never for anything that a reply says.
    """
    dialect_named(dialect)  # a misspelt name must not hide behind malformed replies
    each = _one_each(targets, len(replies))
    if truncated and len(truncated) != len(replies):
        raise ConfigError(f"{len(replies)} replies but {len(truncated)} marks of truncation")
    cut = truncated or (False,) * len(replies)
    parsed = [
        "truncated" if is_cut else _action_or_reason(reply, target, dialect, thought_required)
        for reply, target, is_cut in zip(replies, each, cut, strict=True)
    ]
    places = [place for place, item in enumerate(parsed) if not isinstance(item, str)]
    actions = [item for item in parsed if not isinstance(item, str)]
    found = scorer.similarities(actions, [each[place] for place in places], dialect) if actions else ()
    similarities = {place: float(value) for place, value in zip(places, found, strict=True)}
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


def _action_or_reason(reply: str, target: Target, dialect: str, thought_required: bool) -> Action | str:
    """The reply's action, or the code that says why there is none."""
    try:
        parsed = parse_reply(reply, dialect, thought_required=thought_required, foreign_tools=foreign_tools_of(target))
    except MalformedReply as error:
        return error.reason
    return parsed.action

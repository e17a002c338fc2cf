"""Rewards of mathematics: similarity of a reply's step to the expert's, the thought left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from srl_swe_envs.errors import ConfigError, MalformedReply
from srl_swe_envs.rewards.score import CHARACTERS, StepReward
from srl_swe_envs.rewards.scorer import TextScorer

from .prompts import read_step
from .solutions import Solution
from .steps import MathSteps


@dataclass(slots=True)
class MathScorer:
    """Scores replies against the steps of the solutions that it was given (see `ReplyScorer`)."""

    steps: MathSteps
    scorer: TextScorer = CHARACTERS
    _experts: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, solution: Solution) -> None:
        """Make a solution's steps known; raises ConfigError when another solution has its id."""
        for place, step in enumerate(self.steps.steps(solution)):
            expert = self.steps.expert(step)
            if self._experts.setdefault((solution.id, place), expert) != expert:
                raise ConfigError(
                    f"two solutions are both {solution.id}: files need different names, rows different ids"
                )

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """See `ReplyScorer.score`; a reply without thought or step is worth -1."""
        expert = self.expert(conversation, step)
        cut = truncated or (False,) * len(replies)
        found = [
            StepReward.malformed("truncated") if is_cut else _read(reply)
            for reply, is_cut in zip(replies, cut, strict=True)
        ]
        texts = [item for item in found if isinstance(item, str)]
        similarities = iter(self.scorer.compare(texts, [expert] * len(texts)) if texts else ())
        return tuple(StepReward.scored(float(next(similarities))) if isinstance(item, str) else item for item in found)

    def expert(self, conversation: str, step: int) -> str:
        """See `ReplyScorer.expert`."""
        if (conversation, step) not in self._experts:
            raise ConfigError(f"no step {step} of {conversation} to score against")
        return self._experts[conversation, step]


def _read(reply: str) -> str | StepReward:
    try:
        return read_step(reply)
    except MalformedReply as error:
        return StepReward.malformed(error.reason)

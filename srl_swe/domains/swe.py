"""The software-engineering domain: trajectories become conversations, replies are scored against expert actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from srl_swe_envs.actions import canonical_text
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.score import CHARACTERS, StepReward, score_replies
from srl_swe_envs.rewards.scorer import Scorer
from srl_swe_envs.steps import StepInstance, step_instances
from srl_swe_envs.trajectories import Observation, Trajectory, Turn

from ..conversations import Conversation, Target
from ..prompts import PromptSet

_NOTHING_SEEN = Observation(text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweSteps:
    """How trajectories are cut into steps and shown to the model."""

    prompts: PromptSet
    last_rounds: int | None = None
    """Show only the last n (action, observation) rounds, as the paper's figure 4 does with 2; None shows all."""
    thoughts: bool = True
    """Show the expert's thoughts in the history."""
    include_last: bool = False
    """Also learn the last turn; the paper makes N-1 instances of N turns."""

    def conversations(self, trajectory: Trajectory) -> Iterator[Conversation]:
        """One conversation with all steps, or one per step when the history is cut short."""
        steps = step_instances(trajectory, include_last=self.include_last)
        if not steps:
            return
        if self.last_rounds is None:
            yield self._conversation(trajectory, trajectory.turns[: len(steps)], first=0, targets=range(len(steps)))
            return
        for step in steps:
            first = max(0, step.index - self.last_rounds)
            turns = trajectory.turns[first : step.index + 1]
            yield self._conversation(trajectory, turns, first=first, targets=(step.index,))

    def _conversation(
        self, trajectory: Trajectory, turns: Sequence[Turn], *, first: int, targets: Iterable[int]
    ) -> Conversation:
        messages = list(self.prompts.opening(trajectory.task))
        wanted, found = frozenset(targets), []
        for index, turn in enumerate(turns, start=first):
            if index in wanted:
                found.append(Target(message=len(messages), step=index))
            messages.append(self.prompts.reply(turn, thought=self.thoughts))
            messages.append(self.prompts.observation(turn.observation or _NOTHING_SEEN))
        return Conversation(
            id=trajectory.id, messages=tuple(messages[:-1]), targets=tuple(found), tools=self.prompts.tools
        )


@dataclass(slots=True)
class SweScorer:
    """Scores replies with the world's own reward; knows the steps of the trajectories it was given."""

    dialect: str
    scorer: Scorer = CHARACTERS
    _steps: dict[tuple[str, int], StepInstance] = field(default_factory=dict)

    def add(self, trajectory: Trajectory) -> None:
        """Make a trajectory's steps known."""
        for step in step_instances(trajectory, include_last=True):
            self._steps[trajectory.id, step.index] = step

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """See `ReplyScorer.score`."""
        return score_replies(
            replies, self._known(conversation, step), self.dialect, scorer=self.scorer, truncated=truncated
        )

    def expert(self, conversation: str, step: int) -> str:
        """See `ReplyScorer.expert`."""
        return canonical_text(self._known(conversation, step).expert)

    def _known(self, conversation: str, step: int) -> StepInstance:
        if (conversation, step) not in self._steps:
            raise ConfigError(f"no step {step} of {conversation} to score against")
        return self._steps[conversation, step]

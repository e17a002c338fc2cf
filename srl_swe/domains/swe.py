"""The software-engineering domain: trajectories become conversations, replies are scored against expert actions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from srl_swe_envs.actions import canonical_text
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.score import CHARACTERS, StepReward, score_replies
from srl_swe_envs.rewards.scorer import Scorer, experts_of
from srl_swe_envs.steps import StepInstance, step_instances, step_spans
from srl_swe_envs.trajectories import Observation, Trajectory, Turn

from ..conversations import Conversation, Message, Target
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
    merge: int = 1
    """How many consecutive turns make one step; 0 makes the whole trajectory one."""

    def conversations(self, trajectory: Trajectory) -> Iterator[Conversation]:
        """One conversation with all steps, or one per step when the history is cut short."""
        steps = step_instances(trajectory, include_last=self.include_last, merge=self.merge)
        if not steps:
            return
        if self.last_rounds is None:
            yield self._conversation(trajectory, range(len(steps)), targets=range(len(steps)))
            return
        for step in steps:
            shown = range(max(0, step.index - self.last_rounds), step.index + 1)
            yield self._conversation(trajectory, shown, targets=(step.index,))

    def _conversation(self, trajectory: Trajectory, steps: range, *, targets: Collection[int]) -> Conversation:
        messages = list(self.prompts.opening(trajectory.task))
        spans = step_spans(len(trajectory.turns), self.merge)
        found = []
        for index in steps:
            if index in targets:
                found.append(Target(message=len(messages), step=index))
            messages += self._round([trajectory.turns[place] for place in spans[index]])
        return Conversation(
            id=trajectory.id, messages=tuple(messages[:-1]), targets=tuple(found), tools=self.prompts.tools
        )

    def _round(self, turns: Sequence[Turn]) -> tuple[Message, Message]:
        """One step's reply and what came back."""
        seen = [turn.observation or _NOTHING_SEEN for turn in turns]
        if self.merge == 1:
            return self.prompts.reply(turns[0], thought=self.thoughts), self.prompts.observation(seen[0])
        return self.prompts.replies(turns, thought=self.thoughts), self.prompts.observations(seen)


@dataclass(slots=True)
class SweScorer:
    """Scores replies with the world's own reward; knows the steps of the trajectories it was given."""

    dialect: str
    scorer: Scorer = CHARACTERS
    merge: int = 1
    _steps: dict[tuple[str, int], StepInstance] = field(default_factory=dict)

    def add(self, trajectory: Trajectory) -> None:
        """Make a trajectory's steps known; raises ConfigError when another trajectory has its id."""
        for step in step_instances(trajectory, include_last=True, merge=self.merge):
            known = self._steps.setdefault((trajectory.id, step.index), step)
            if experts_of(known) != experts_of(step):
                raise ConfigError(
                    f"two trajectories are both {trajectory.id}: their replies would be scored against each other's "
                    "expert; give their records different ids"
                )

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """See `ReplyScorer.score`."""
        return score_replies(
            replies, self._known(conversation, step), self.dialect, scorer=self.scorer, truncated=truncated
        )

    def expert(self, conversation: str, step: int) -> str:
        """See `ReplyScorer.expert`."""
        return "\n".join(canonical_text(action) for action in experts_of(self._known(conversation, step)))

    def _known(self, conversation: str, step: int) -> StepInstance:
        if (conversation, step) not in self._steps:
            raise ConfigError(f"no step {step} of {conversation} to score against")
        return self._steps[conversation, step]

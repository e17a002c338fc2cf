"""Mathematics episodes for learning: a problem, a solution in one reply or step after step, and its final answer.

Episodes are asked as the steps were: where steps are replies of one conversation (`layout = "turns"`), an episode goes
on until a step holds a box; otherwise one reply is the whole solution, asked in the words of evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srl_swe_envs.dialects.reply import REASONS
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.rewards.score import StepReward

from ...conversations import Message
from ...episodes import Ending, Episode, Opening, Seen
from .answers import last_boxed
from .checking import AnswerChecker
from .prompts import MathPrompts, read_step, step_reply
from .scoring import MathScorer
from .solutions import Solution


@dataclass(frozen=True, slots=True, kw_only=True)
class MathEpisodes:
    """Episodes of problems whose final answers are known (see `Episodes`)."""

    solutions: tuple[Solution, ...]
    scorer: MathScorer
    checker: AnswerChecker
    stepwise: bool = False
    """Whether an episode is a conversation of steps; otherwise it is one reply."""
    follow_expert: bool = False
    """End an episode once the expert would have no further step."""

    @property
    def prompts(self) -> MathPrompts:
        """The words around problems and steps."""
        return self.scorer.steps.prompts

    def __len__(self) -> int:
        return len(self.solutions)

    def expert_turns(self, task: int) -> int:
        """Steps of the expert that an episode can begin after."""
        return len(self.scorer.steps.steps(self.solutions[task])) if self.stepwise else 0

    def opening(self, task: int, *, step: int = 0) -> Opening:
        """The problem, and the expert's first steps."""
        solution = self.solutions[task]
        if not self.stepwise:
            return Opening(name=solution.id, messages=self.prompts.whole(solution.problem))
        messages = [*self.prompts.step(solution.problem, [solution.preamble] if solution.preamble else [])]
        for one in self.scorer.steps.steps(solution)[:step]:
            messages += [Message(role="assistant", content=step_reply(one.text)), self.prompts.next()]
        return Opening(name=solution.id, messages=tuple(messages))

    def begin(self, task: int, *, step: int = 0) -> Episode:
        """Nothing has to be started."""
        return MathEpisode(episodes=self, solution=self.solutions[task], taken=step)


@dataclass(slots=True, kw_only=True)
class MathEpisode:
    """One episode (see `Episode`)."""

    episodes: MathEpisodes
    solution: Solution
    taken: int
    """Steps so far, the expert's included."""
    said: list[str] = field(default_factory=list)

    def reply(self, text: str, *, ended: bool) -> Seen:
        """One step, or the whole solution."""
        step = self._step()
        reward = self._reward(text, ended) if step is not None else None
        try:
            if not ended:
                raise MalformedReply("truncated", REASONS["truncated"])
            given = read_step(text)
        except MalformedReply as error:
            shown = self.episodes.prompts.malformed(error.reason, REASONS[error.reason])
            over = "" if self.episodes.stepwise else "answered" if ended else "token_limit"
            return Seen(messages=(shown,), malformed=error.reason, step=step, reward=reward, stop=over)
        self.said.append(given)
        self.taken += 1
        over = "answered" if not self.episodes.stepwise or last_boxed(given) is not None else ""
        if not over and self.episodes.follow_expert and self._step() is None:
            over = "expert_ended"
        return Seen(messages=(self.episodes.prompts.next(),), step=step, reward=reward, stop=over)

    def end(self, *, stop: str) -> Ending:
        """Whether the last box holds the right answer. Raises WorkspaceError."""
        right = self.episodes.checker.correct("\n\n".join(self.said), self.solution.answer)
        return Ending(reward=StepReward.outcome(succeeded=right))

    def close(self) -> None:
        """Nothing is held."""

    def _step(self) -> int | None:
        """The expert's step that the next reply is compared with."""
        steps = self.episodes.scorer.steps.steps(self.solution) if self.episodes.stepwise else ()
        return self.taken if self.taken < len(steps) else None

    def _reward(self, text: str, ended: bool) -> StepReward:
        (reward,) = self.episodes.scorer.score(self.solution.id, self.taken, [text], truncated=[not ended])
        return reward

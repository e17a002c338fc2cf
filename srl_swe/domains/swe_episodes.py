"""Software-engineering episodes for learning: `SweEnv` in a live workspace, and the verdict of the task's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.guards.audit import audit_turns
from srl_swe_envs.outcome import OpenWorkspace
from srl_swe_envs.rewards.score import CHARACTERS, StepReward
from srl_swe_envs.rewards.scorer import Scorer
from srl_swe_envs.swe_env import SweEnv
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory

from ..conversations import Message
from ..episodes import Ending, Episode, Opening, Seen, UnusableStart
from ..prompts import PromptSet
from .verdicts import Verdicts

_NOTHING_SEEN = Observation(text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What episodes are made of: a task, and an expert's way through it where there is one."""

    task: Task
    expert: Trajectory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweEpisodes:
    """Episodes of tasks in live workspaces (see `Episodes`)."""

    attempts: tuple[Attempt, ...]
    prompts: PromptSet
    open_workspace: OpenWorkspace
    verdicts: Verdicts
    scorer: Scorer = CHARACTERS
    command_timeout_s: float = 60.0
    thoughts: bool = True
    """Show the expert's thoughts in the opening."""
    follow_expert: bool = False
    """End an episode once the expert would have nothing more to do: there is no step to compare with any more."""

    def __len__(self) -> int:
        return len(self.attempts)

    def expert_turns(self, task: int) -> int:
        """How many turns the expert needed."""
        expert = self.attempts[task].expert
        return len(expert.turns) if expert else 0

    def opening(self, task: int, *, step: int = 0) -> Opening:
        """The task, and the expert's first turns as they were recorded."""
        attempt = self.attempts[task]
        messages = list(self.prompts.opening(attempt.task))
        for turn in attempt.expert.turns[:step] if attempt.expert else ():
            messages += [
                self.prompts.reply(turn, thought=self.thoughts),
                self.prompts.observation(turn.observation or _NOTHING_SEEN),
            ]
        name = attempt.expert.id if attempt.expert else attempt.task.id
        return Opening(name=name, messages=tuple(messages), tools=self.prompts.tools)

    def begin(self, task: int, *, step: int = 0) -> Episode:
        """A workspace brought to the expert's step by its actions, every outcome compared with the recorded one."""
        attempt = self.attempts[task]
        env = SweEnv(
            [attempt.expert or attempt.task],
            mode="fork" if step else "live",
            dialect=self.prompts.dialect,
            scorer=self.scorer,
            open_workspace=self.open_workspace,
            grade=None,
            timeout_s=self.command_timeout_s,
        )
        try:
            _, info = env.reset(options={"index": 0, **({"fork_step": step} if step else {})})
            if "diverged_at" in info:
                raise UnusableStart(
                    f"{attempt.task.id}: the expert's turn {info['diverged_at']} had another outcome here"
                )
        except BaseException:
            env.close()
            raise
        return SweEpisode(env, self, attempt.task)


class SweEpisode:
    """One episode (see `Episode`)."""

    def __init__(self, env: SweEnv, episodes: SweEpisodes, task: Task) -> None:
        self._env = env
        self._episodes = episodes
        self._task = task
        self._forked = len(env.turns)

    def reply(self, text: str, *, ended: bool) -> Seen:
        """One turn in the workspace; a reply that was cut off is malformed whatever it holds."""
        step = len(self._env.turns) if self._env.expert_action() is not None else None
        if not ended:
            return self._malformed("truncated", step)
        shown, _, terminated, _, info = self._env.step(text)
        if info["status"] == "infra":
            raise WorkspaceError(str(info.get("reason", "the workspace failed")))
        if info["status"] == "malformed":
            return self._malformed(info["reason"], step)
        reward = StepReward.scored(info["similarity"]) if "similarity" in info else None
        observation = Observation(text=shown, exit_code=info.get("exit_code"), elided_chars=info["elided_chars"])
        return Seen(
            messages=(self._episodes.prompts.observation(observation),),
            stop="submitted" if terminated else "" if self._has_next() else "expert_ended",
            step=step,
            reward=reward,
        )

    def end(self, *, stop: str) -> Ending:
        """The tests' verdict on the patch alone, in a workspace of their own; signs are those of the leak audit."""
        patch = self._env.patch()
        flags = tuple(sorted({flag.name for flag in audit_turns(self._env.turns[self._forked :], task=self._task)}))
        self._env.close()  # before the tests need a workspace
        resolved = self._episodes.verdicts.resolved(self._task, patch)
        return Ending(reward=StepReward.outcome(succeeded=resolved), flags=flags)

    def close(self) -> None:
        """End the workspace."""
        self._env.close()

    def _malformed(self, reason: str, step: int | None) -> Seen:
        shown: Message = self._episodes.prompts.malformed(reason)
        reward = StepReward.malformed(reason) if step is not None else None
        return Seen(messages=(shown,), malformed=reason, step=step, reward=reward)

    def _has_next(self) -> bool:
        return not self._episodes.follow_expert or self._env.expert_action() is not None


def attempts_of(tasks: Sequence[Task], trajectories: Sequence[Trajectory]) -> tuple[Attempt, ...]:
    """One attempt per trajectory whose task is known, the task's own words instead of the log's; raises ConfigError."""
    known = {task.id: task for task in tasks}
    found = []
    for trajectory in trajectories:
        task = known.get(trajectory.task.id)
        if task is not None:
            expert = Trajectory(
                id=trajectory.id,
                task=task,
                turns=trajectory.turns,
                source=trajectory.source,
                outcome=trajectory.outcome,
                model=trajectory.model,
            )
            found.append(Attempt(task=task, expert=expert))
    if not found:
        raise ConfigError("no trajectory of data.train is on one of the tasks of rlvr.tasks")
    return tuple(found)

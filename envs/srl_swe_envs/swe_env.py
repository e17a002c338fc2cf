"""`SweEnv`: the gymnasium environment in which every agent turn is one step.

The action is the model's raw reply, the observation is the text the agent sees next. Three modes:

* `replay`: teacher forcing along a recording, no container. Whatever the agent replies, the expert's turn happens.
* `live`: the action is executed in a workspace; with an expert trajectory, step k is compared with its step k.
* `fork`: live from the expert's step k, after the expert's first k actions were executed.

The reward is `score`'s value of the reply while there is an expert step, else 0; a submission in a task with tests
ends the episode with 1 or 0 by `outcome.grade`. `info["status"]` says which it was (`scored`, `malformed`, `masked`,
`infra`, `graded`): an `infra` reward is a 0 that must not be learnt from. Keys that do not apply are absent, as
gymnasium's vector environments want it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, cast

import gymnasium

from .actions import Action, canonical_text
from .dialects import REASONS, dialect_named, parse_reply
from .episodes import Episode, Live, Replay, Source
from .errors import ConfigError, MalformedReply, WorkspaceError
from .outcome import OpenWorkspace, Outcome
from .outcome import grade as grade_patch
from .rewards import CHARACTERS, Scorer, StepReward, score
from .rewards.scorer import foreign_tools_of
from .spaces import UnicodeText
from .tasks import Task
from .tiny import open_tiny, tiny_trajectory
from .tools import Tools
from .trajectories import Observation, Trajectory, Turn
from .workspaces.protocol import Workspace

Mode: TypeAlias = Literal["replay", "live", "fork"]
Grade: TypeAlias = Callable[[Task, str, OpenWorkspace], Outcome]


class SweEnv(gymnasium.Env[str, str]):
    """Steps trajectories and tasks; `reset(seed=...)` picks one, `reset(options={"index": i})` names one.

    With `fork`, `reset(options={"fork_step": k})` says where; otherwise k is drawn. Without sources a tiny built-in
    trajectory is stepped. Errors of the agent are observations; WorkspaceError leaves `reset` but never `step`.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012  (gymnasium's own annotation)

    def __init__(
        self,
        sources: Sequence[Source] = (),
        *,
        mode: Mode = "replay",
        dialect: str = "xml",
        scorer: Scorer = CHARACTERS,
        open_workspace: OpenWorkspace | None = None,
        grade: Grade | None = grade_patch,
        timeout_s: float = 60.0,
        render_mode: str | None = None,
    ) -> None:
        """`grade=None` leaves submissions ungraded. Raises ConfigError when sources and mode don't fit."""
        if mode not in ("replay", "live", "fork"):
            raise ConfigError(f"unknown mode {mode!r}; known: replay, live, fork")
        if render_mode not in (None, "ansi"):
            raise ConfigError(f"unknown render mode {render_mode!r}; known: ansi")
        self.sources: tuple[Source, ...] = tuple(sources) or (tiny_trajectory(),)
        if mode != "live" and any(isinstance(source, Task) for source in self.sources):
            raise ConfigError(f"mode {mode!r} needs trajectories; a task alone can only be stepped live")
        if sources and mode != "replay" and open_workspace is None:
            raise ConfigError(f"mode {mode!r} executes actions: give open_workspace, which opens a task's workspace")
        dialect_named(dialect)
        self.mode, self.dialect, self.render_mode = mode, dialect, render_mode
        self.action_space = UnicodeText()
        self.observation_space = UnicodeText()
        self._scorer, self._grade, self._timeout_s = scorer, grade, timeout_s
        self._open_workspace = open_workspace or open_tiny
        self._workspace: Workspace | None = None
        self._workspace_task: Task | None = None
        self._episode: Episode | None = None
        self._over = True
        self._shown = ""

    @property
    def task(self) -> Task:
        """The task being stepped."""
        return self._running().task

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The agent's history: well-formed turns so far, the expert's ones in replay and before a fork."""
        return tuple(self._running().turns)

    def expert_action(self) -> Action | None:
        """What the expert does at this step, if there is an expert's step."""
        target = self._running().target()
        return target.expert if target else None

    def patch(self) -> str:
        """The workspace's changes as a diff; empty in replay. Raises WorkspaceError."""
        return self._workspace.diff() if self._workspace else ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; returns the task's problem, or what the expert saw last before the fork.

        Raises WorkspaceError when no workspace could be opened, ConfigError for options that don't fit.
        """
        super().reset(seed=seed)
        wanted = dict(options or {})
        source = self.sources[self._drawn("index", wanted, len(self.sources))]
        self._over = True
        self._episode = self._begin(source, wanted)
        if wanted:
            raise ConfigError(f"unknown reset options {sorted(wanted)}; known: index, and fork_step in mode fork")
        self._over = False
        info = {"task": self._episode.task.id, "step": len(self._episode.turns)}
        if isinstance(self._episode, Live) and self._episode.diverged_at is not None:
            info["diverged_at"] = self._episode.diverged_at
        last = self._episode.turns[-1].observation if self._episode.turns else None
        self._shown = last.text if last else self._episode.task.problem
        return self._shown, info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One agent turn from its raw reply; the module says what reward and info mean. Raises only ResetNeeded."""
        if self._over or self._episode is None:
            raise gymnasium.error.ResetNeeded("the episode is over: call reset() before step()")
        try:
            observation, reward, info = self._turn(self._episode, action)
            terminated, truncated = self._episode.submitted, self._episode.exhausted and not self._episode.submitted
            if terminated:
                reward = self._graded(self._episode, reward)
        except WorkspaceError as error:
            self._close_workspace()
            observation, reward, info = Observation(text=""), {"status": "infra", "reason": str(error)}, {}
            terminated, truncated = False, True
        self._over = terminated or truncated
        value = float(reward.pop("value", 0.0))
        info |= {"step": len(self._episode.turns), "elided_chars": observation.elided_chars} | reward
        if observation.exit_code is not None:
            info["exit_code"] = observation.exit_code
        self._shown = f"{action}\n\n[{info['status']}, reward {value:.3f}]\n\n{observation.text}"
        return observation.text, value, terminated, truncated, info

    def render(self) -> str | None:
        """The last reply, its reward and what came back, as text."""
        return self._shown if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Close the workspace."""
        self._close_workspace()
        self._over = True

    def _begin(self, source: Source, options: dict[str, Any]) -> Episode:
        if self.mode == "replay" and isinstance(source, Trajectory):
            return Replay(source)
        expert = source if isinstance(source, Trajectory) else None
        task = expert.task if expert else cast(Task, source)
        count = self._drawn("fork_step", options, len(expert.turns)) if self.mode == "fork" and expert else 0
        tools = Tools.on(self._fresh_workspace(task), workdir=task.workdir, timeout_s=self._timeout_s)
        episode = Live(task=task, tools=tools, expert=expert)
        episode.fork(count)
        return episode

    def _turn(self, episode: Episode, text: str) -> tuple[Observation, dict[str, Any], dict[str, Any]]:
        """Score a reply and let it happen: observation, what the reward says, and the rest of info."""
        target = episode.target()
        reward = score(text, target, self.dialect, scorer=self._scorer) if target else StepReward.masked("no expert")
        info: dict[str, Any] = {"expert": canonical_text(target.expert)} if target else {}
        start = time.perf_counter()
        try:
            reply = parse_reply(text, self.dialect, foreign_tools=foreign_tools_of(target) if target else ())
            observation = episode.act(reply.thought, reply.action)
        except MalformedReply as error:
            reward = StepReward.malformed(error.reason)
            observation = episode.stumble(f"The reply could not be read ({error.reason}): {REASONS[error.reason]}.")
        if isinstance(episode, Live):
            info["duration_s"] = time.perf_counter() - start
        return observation, _reward_info(reward), info

    def _graded(self, episode: Episode, reward: dict[str, Any]) -> dict[str, Any]:
        """The reward by the tests of a submitted live episode; as it was when there are none."""
        task = episode.task
        if self._grade is None or not isinstance(episode, Live) or not (task.fail_to_pass or task.pass_to_pass):
            return reward
        outcome = self._grade(task, self.patch(), self._open_workspace)
        graded = {"status": "graded", "value": float(outcome.resolved), "resolved": outcome.resolved}
        return {name: value for name, value in reward.items() if name != "reason"} | graded

    def _fresh_workspace(self, task: Task) -> Workspace:
        if self._workspace is not None and self._workspace_task == task:
            try:
                self._workspace.reset()
                return self._workspace
            except WorkspaceError:
                pass  # beyond help: a new one takes its place
        self._close_workspace()
        self._workspace, self._workspace_task = self._open_workspace(task), task
        return self._workspace

    def _close_workspace(self) -> None:
        workspace, self._workspace = self._workspace, None
        if workspace is not None:
            workspace.close()

    def _drawn(self, option: str, options: dict[str, Any], count: int) -> int:
        """The number an option names, or one drawn from range(count)."""
        if option not in options:
            return int(self.np_random.integers(count))
        value = options.pop(option)
        if not isinstance(value, int) or not 0 <= value < count:
            raise ConfigError(f"reset option {option} must be in 0..{count - 1}, not {value!r}")
        return value

    def _running(self) -> Episode:
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("no episode yet: call reset() first")
        return self._episode


def _reward_info(reward: StepReward) -> dict[str, Any]:
    """What a reward says in info; keys without a value are absent, and a masked value is a 0."""
    info: dict[str, Any] = {"status": reward.status}
    if reward.similarity is not None:
        info["similarity"] = reward.similarity
    if reward.reason:
        info["reason"] = reward.reason
    if reward.status in ("scored", "malformed"):
        info["value"] = reward.value
    return info

"""One episode of the world: whose turn it is, what the expert would do, and what happened so far.

`Replay` walks a recording, `Live` executes. Both keep the turns that make up the agent's history: in replay the
expert's (teacher forcing), live the agent's own after the forked ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .actions import Action, Submit
from .steps import StepInstance
from .tasks import Task
from .tools import Tools
from .tools.compare import same_outcome
from .trajectories import Observation, Trajectory, Turn
from .workspaces.replay import ReplayWorkspace

Source: TypeAlias = Trajectory | Task


class Episode(Protocol):
    """What `SweEnv` steps."""

    task: Task
    turns: list[Turn]
    """Thought, action and observation of every well-formed turn so far."""

    def target(self) -> StepInstance | None:
        """The expert's step that the next action is compared with, if there is one."""
        ...

    def act(self, thought: str, action: Action) -> Observation:
        """Do a well-formed turn; raises WorkspaceError."""
        ...

    def stumble(self, message: str) -> Observation:
        """What follows a malformed reply."""
        ...

    @property
    def submitted(self) -> bool:
        """Whether the task has been ended by a submission."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing can follow although nothing was submitted."""
        ...


@dataclass(slots=True)
class Replay:
    """An episode along a recording: the expert's turn happens, whatever the agent replies."""

    trajectory: Trajectory
    task: Task = field(init=False)
    turns: list[Turn] = field(init=False, default_factory=list)
    workspace: ReplayWorkspace = field(init=False)

    def __post_init__(self) -> None:
        self.task = self.trajectory.task
        self.workspace = ReplayWorkspace(self.trajectory.turns)

    def target(self) -> StepInstance | None:
        """The recording's next step."""
        return _step(self.trajectory, len(self.turns))

    def act(self, thought: str, action: Action) -> Observation:
        """What the expert saw; the agent's action changes nothing."""
        return self._advance()

    def stumble(self, message: str) -> Observation:
        """Also what the expert saw."""
        return self._advance()

    @property
    def submitted(self) -> bool:
        """Whether the expert has submitted at the recording's end."""
        return self.exhausted and bool(self.turns) and isinstance(self.turns[-1].action, Submit)

    @property
    def exhausted(self) -> bool:
        """Whether the recording has ended."""
        return len(self.turns) == len(self.trajectory.turns)

    def _advance(self) -> Observation:
        observation = self.workspace.advance()
        self.turns.append(self.trajectory.turns[len(self.turns)])
        return observation


@dataclass(slots=True)
class Live:
    """An episode whose actions are executed; with an expert, step k is compared with the expert's step k."""

    task: Task
    tools: Tools
    expert: Trajectory | None = None
    turns: list[Turn] = field(default_factory=list)
    submitted: bool = field(init=False, default=False)
    diverged_at: int | None = field(init=False, default=None)
    """First forked turn whose outcome differs from the recorded one."""

    def fork(self, count: int) -> None:
        """Execute the expert's first turns and compare what comes back with the recording; raises WorkspaceError."""
        for turn in self.expert.turns[:count] if self.expert else ():
            observation = self.act(turn.thought, turn.action)
            recorded = None if turn.parallel else turn.observation
            if self.diverged_at is None and recorded and not same_outcome(turn.action, observation, recorded):
                self.diverged_at = len(self.turns) - 1

    def target(self) -> StepInstance | None:
        """The expert's step of the same number, while the expert has one."""
        return _step(self.expert, len(self.turns)) if self.expert else None

    def act(self, thought: str, action: Action) -> Observation:
        """Execute the action."""
        observation = self.tools.execute(action)
        self.turns.append(Turn(thought=thought, action=action, observation=observation))
        self.submitted = isinstance(action, Submit)
        return observation

    def stumble(self, message: str) -> Observation:
        """Nothing is executed; the agent is told what was wrong and may try again."""
        return Observation(text=message)

    @property
    def exhausted(self) -> bool:
        """Live worlds never run out."""
        return False


def _step(trajectory: Trajectory, index: int) -> StepInstance | None:
    if index >= len(trajectory.turns):
        return None
    return StepInstance(
        trajectory_id=trajectory.id,
        task=trajectory.task,
        index=index,
        history=trajectory.turns[:index],
        expert=trajectory.turns[index].action,
    )

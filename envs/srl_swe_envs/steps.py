"""Step instances: one decision of the expert to learn, with everything the expert knew before it."""

from __future__ import annotations

from dataclasses import dataclass

from .actions import Action
from .tasks import Task
from .trajectories import Trajectory, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInstance:
    """Step `index` (zero-based) of an expert trajectory: given `history`, choose `expert`."""

    trajectory_id: str
    task: Task
    index: int
    history: tuple[Turn, ...]
    """The expert's turns before this step (teacher forcing)."""
    expert: Action


def step_instances(trajectory: Trajectory, *, include_last: bool = False) -> tuple[StepInstance, ...]:
    """The step instances of a trajectory, in order.

    From N turns the paper makes N-1 instances, the last turn never being a target (arXiv 2510.25992, section 4.2);
    `include_last` adds it. The history of instance k is `trajectory.turns[:k]`, so histories are nested.
    """
    stop = len(trajectory.turns) if include_last else len(trajectory.turns) - 1
    return tuple(
        StepInstance(
            trajectory_id=trajectory.id,
            task=trajectory.task,
            index=index,
            history=trajectory.turns[:index],
            expert=trajectory.turns[index].action,
        )
        for index in range(max(stop, 0))
    )

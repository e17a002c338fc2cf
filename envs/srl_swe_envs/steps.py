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
    then: tuple[Action, ...] | None = None
    """The expert's further actions where several turns are merged into one step; None where a step is one action."""


def step_instances(trajectory: Trajectory, *, include_last: bool = False, merge: int = 1) -> tuple[StepInstance, ...]:
    """The step instances of a trajectory, in order.

    From N turns the paper makes N-1 instances, the last turn never being a target (arXiv 2510.25992, section 4.2);
    `include_last` adds it. The history of instance k is `trajectory.turns[:k]`, so histories are nested.

    With `merge` = m, m consecutive turns are one step, whose index counts steps. `merge` = 0 makes one instance of the
    whole trajectory, the last turn included: the one-step ablation of the paper's table 3.
    """
    turns = trajectory.turns
    spans = step_spans(len(turns), merge)
    wanted = spans if include_last or merge == 0 else spans[:-1]
    return tuple(
        StepInstance(
            trajectory_id=trajectory.id,
            task=trajectory.task,
            index=index,
            history=turns[: span.start],
            expert=turns[span.start].action,
            then=None if merge == 1 else tuple(turn.action for turn in turns[span.start + 1 : span.stop]),
        )
        for index, span in enumerate(wanted)
    )


def step_spans(turns: int, merge: int) -> tuple[range, ...]:
    """Which turns make up each step: `merge` consecutive ones, or all of them when it is 0."""
    size = merge or max(turns, 1)
    return tuple(range(start, min(start + size, turns)) for start in range(0, turns, size))

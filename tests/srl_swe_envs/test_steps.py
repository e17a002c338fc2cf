"""How turns become step instances."""

from __future__ import annotations

import pytest

from srl_swe_envs.actions import Shell, Submit
from srl_swe_envs.steps import step_instances
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Trajectory, Turn


def trajectory(count: int) -> Trajectory:
    actions = [*(Shell(command=str(number)) for number in range(count - 1)), Submit()]
    turns = tuple(Turn(thought="", action=action) for action in actions)
    return Trajectory(id="t", task=Task(id="t", problem="p"), turns=turns, source="made_up")


def test_n_turns_make_n_minus_one_steps_or_n() -> None:
    assert [len(step.history) for step in step_instances(trajectory(4))] == [0, 1, 2]
    assert step_instances(trajectory(4), include_last=True)[-1].expert == Submit()
    assert step_instances(trajectory(1)) == ()
    assert all(step.then is None for step in step_instances(trajectory(4), include_last=True))


@pytest.mark.parametrize("include_last", [False, True])
@pytest.mark.parametrize(("count", "merge"), [(6, 2), (7, 2), (7, 3), (2, 5)])
def test_merged_steps_tile_the_turns_in_order(count: int, merge: int, include_last: bool) -> None:
    steps = step_instances(trajectory(count), include_last=include_last, merge=merge)
    whole = -(-count // merge)
    assert [step.index for step in steps] == list(range(whole if include_last else whole - 1))
    for step in steps:
        actions = [*(turn.action for turn in step.history), step.expert, *(step.then or ())]
        assert actions == [turn.action for turn in trajectory(count).turns[: (step.index + 1) * merge]]


def test_the_whole_trajectory_as_one_step_holds_the_last_turn_too() -> None:
    (step,) = step_instances(trajectory(4), merge=0)
    assert (step.history, step.expert) == ((), Shell(command="0"))
    assert step.then == (Shell(command="1"), Shell(command="2"), Submit())

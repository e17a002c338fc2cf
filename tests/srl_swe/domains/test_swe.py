"""How expert trajectories become conversations, and how replies to their steps are scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from srl_swe.domains.swe import SweScorer, SweSteps
from srl_swe.prompts import load_prompts
from srl_swe_envs.actions import Shell, Submit
from srl_swe_envs.dialects import DIALECTS, parse_actions
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory, Turn

COMMANDS = ("ls", "cat a", "cat b", "python c")
EXPERT = Trajectory(
    id="t",
    task=Task(id="t", problem="It breaks."),
    turns=(
        *(
            Turn(thought=f"thought {name}", action=Shell(command=name), observation=Observation(text=f"seen {name}"))
            for name in COMMANDS
        ),
        Turn(thought="leave", action=Submit()),
    ),
    source="made_up",
)


def steps(**changes: Any) -> SweSteps:
    return SweSteps(prompts=load_prompts("xml", several=changes.get("merge", 1) != 1), **changes)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_merged_turns_are_one_reply_with_their_thoughts_and_one_answer(dialect: str) -> None:
    cut = SweSteps(prompts=load_prompts(dialect, several=True), merge=2, include_last=True)
    (conversation,) = cut.conversations(EXPERT)
    assert [target.step for target in conversation.targets] == [0, 1, 2]
    replies = [conversation.messages[target.message].content for target in conversation.targets]
    assert parse_actions(replies[1], dialect) == (Shell(command="cat b"), Shell(command="python c"))
    assert "thought cat b\n\nthought python c" in replies[1]
    answer = conversation.messages[conversation.targets[0].message + 1].content
    assert answer.index("seen ls") < answer.index("seen cat a")
    assert "exactly one" not in conversation.messages[0].content


def test_the_whole_solution_at_once_is_one_target_after_the_task_alone() -> None:
    (conversation,) = steps(merge=0).conversations(EXPERT)
    (target,) = conversation.targets
    assert target.message == 2
    actions = parse_actions(conversation.messages[2].content, "xml")
    assert actions == (*(Shell(command=name) for name in COMMANDS), Submit())


def test_a_short_history_counts_merged_steps() -> None:
    shown = list(steps(merge=2, last_rounds=1, include_last=True).conversations(EXPERT))
    assert [len(conversation.messages) for conversation in shown] == [3, 5, 5]
    assert "cat a" in shown[1].messages[2].content
    assert "cat a" not in "".join(message.content for message in shown[2].messages)


@pytest.mark.parametrize("merge", [0, 1, 2, 3])
def test_the_scorer_knows_the_steps_that_conversations_have(merge: int) -> None:
    scorer = SweScorer(dialect="xml", merge=merge)
    scorer.add(EXPERT)
    (conversation,) = steps(merge=merge).conversations(EXPERT)
    for target in conversation.targets:
        expert = conversation.messages[target.message].content
        (reward,) = scorer.score("t", target.step, [expert])
        assert reward.value == 1.0
    assert scorer.expert("t", 0).split("\n")[0] == "ls"


def test_two_trajectories_with_one_id_are_refused_unless_they_act_alike() -> None:
    scorer = SweScorer(dialect="xml")
    scorer.add(EXPERT)
    scorer.add(replace(EXPERT, source="another"))
    other = replace(EXPERT.turns[0], action=Shell(command="something else"))
    with pytest.raises(ConfigError, match=f"two trajectories are both {EXPERT.id}"):
        scorer.add(replace(EXPERT, turns=(other, *EXPERT.turns[1:])))

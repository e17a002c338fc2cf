"""Episodes of policies in a real workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from srl_swe.conversations import Message
from srl_swe.domains.swe import SweSteps
from srl_swe.policies.protocol import Completion, Sampling
from srl_swe.policies.scripted import Scripted
from srl_swe.prompts import load_prompts
from srl_swe.rollout import EpisodeLimits, run_episode
from srl_swe_envs import SweEnv
from srl_swe_envs.actions import Shell, Submit
from srl_swe_envs.dialects import DIALECTS, render_actions, render_reply
from srl_swe_envs.dialects.reply import Reply
from srl_swe_envs.tiny import open_tiny, tiny_task
from srl_swe_envs.trajectories import Trajectory


@pytest.fixture
def live() -> Iterator[SweEnv]:
    """The smallest task, live."""
    env = SweEnv((tiny_task(),), mode="live", open_workspace=open_tiny, grade=None)
    yield env
    env.close()


LOOK, WRITE = Shell(command="ls"), Shell(command="echo changed > note.txt")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_actions_of_a_reply_are_executed_in_order_where_several_are_allowed(live: SweEnv, dialect: str) -> None:
    live.dialect = dialect
    reply = render_actions("all at once", [LOOK, WRITE, Submit()], dialect)
    rollout = run_episode(live, Scripted([reply]), load_prompts(dialect, several=True))
    assert [turn.action for turn in rollout.turns] == [LOOK, WRITE, Submit()]
    assert rollout.stop == "submitted"
    assert "+changed" in rollout.patch
    assert [turn.thought for turn in rollout.turns] == ["all at once", "", ""]
    assert rollout.completion_tokens == len(reply.split())


def test_without_several_a_reply_of_two_actions_is_malformed(live: SweEnv) -> None:
    two = render_actions("", [LOOK, WRITE], "xml")
    done = render_actions("", [Submit()], "xml")
    rollout = run_episode(live, Scripted([two, done]), load_prompts("xml"))
    assert [turn.malformed for turn in rollout.turns] == ["two_actions", ""]
    assert rollout.patch == ""


def test_a_malformed_action_ends_the_reply_and_the_limit_counts_actions(live: SweEnv) -> None:
    broken = render_actions("", [LOOK], "xml") + "<function=fly>\n</function>" + render_actions("", [WRITE], "xml")[17:]
    rollout = run_episode(
        live, Scripted([broken]), load_prompts("xml", several=True), limits=EpisodeLimits(max_turns=3)
    )
    assert [turn.malformed for turn in rollout.turns] == ["", "unknown_tool", ""]
    assert (rollout.stop, rollout.patch) == ("turn_limit", "")


class Attentive(Scripted):
    """Gives its replies one after the other, and keeps what it was shown."""

    def __init__(self, replies: Sequence[str]) -> None:
        super().__init__(replies)
        self.shown: list[tuple[Message, ...]] = []

    def complete(self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[object] = ()) -> Completion:
        self.shown.append(tuple(messages))
        return Completion(text=self._replies[len(self.shown) - 1], finish="stop", prompt_tokens=1, completion_tokens=1)


@pytest.mark.parametrize("last_rounds", [None, 0, 1, 2])
def test_an_episode_shows_what_its_steps_would_show_in_training(live: SweEnv, last_rounds: int | None) -> None:
    prompts = load_prompts("xml", observation_chars=20)
    commands = ("seq 1000", "ls", "echo two", "ls -a")
    actions = [*(Shell(command=command) for command in commands), Submit()]
    policy = Attentive([render_reply(Reply(thought="so", action=action), "xml") for action in actions])
    rollout = run_episode(live, policy, prompts, last_rounds=last_rounds)
    assert rollout.stop == "submitted"
    trajectory = Trajectory(id="t", task=live.task, turns=rollout.as_turns(), source="s")
    steps = SweSteps(prompts=prompts, last_rounds=last_rounds, include_last=True)
    expected = [
        conversation.messages[: target.message]
        for conversation in steps.conversations(trajectory)
        for target in conversation.targets
    ]
    assert policy.shown == expected
    assert len({len(shown) for shown in policy.shown}) == (5 if last_rounds is None else last_rounds + 1)

"""What a group of episodes teaches: by its outcomes, or turn by turn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from srl_swe.learning.chat_tokens import Trunk, TrunkTarget
from srl_swe.learning.episode_groups import (
    EpisodeTurn,
    SampledEpisode,
    episode_reward,
    success,
    turn_advantages,
    turn_verdict,
)
from srl_swe.learning.groups import Group, verdict
from srl_swe.learning.settings import RlvrSettings
from srl_swe.learning.trainers.rlvr import episode_tree
from srl_swe.learning.tree import Normaliser
from srl_swe_envs.rewards.score import StepReward

SETTINGS = RlvrSettings(replies=4)
WON, LOST = StepReward.outcome(succeeded=True), StepReward.outcome(succeeded=False)
BROKEN = StepReward.infra("the engine does not answer")


def episode(*turns: tuple[int | None, StepReward | None], outcome: StepReward = LOST) -> SampledEpisode:
    """Replies of two tokens each, with three tokens that came back between them."""
    begins = [5 * place for place in range(len(turns))]
    count = begins[-1] + 2
    trained = tuple(offset % 5 < 2 for offset in range(count))
    return SampledEpisode(
        token_ids=tuple(range(count)),
        logps=tuple(-1.0 if own else math.nan for own in trained),
        text="",
        ended=True,
        trained=trained,
        turns=tuple(
            EpisodeTurn(begin=begin, end=begin + 2, step=step, reward=reward)
            for begin, (step, reward) in zip(begins, turns, strict=True)
        ),
        stop="submitted",
        outcome=outcome,
    )


def group(*episodes: SampledEpisode, by_outcome: bool = True) -> Group:
    target = TrunkTarget(step=0, prompt_end=3, suffix=(), expert_span=(3, 3))
    trunk = Trunk(conversation="task", token_ids=(7, 8, 9), targets=(target,))
    if not by_outcome:  # nobody asked for a verdict
        episodes = tuple(replace(one, outcome=None) if one.outcome == LOST else one for one in episodes)
    rewards = tuple(episode_reward(one) for one in episodes)
    return Group(trunk=trunk, target=0, replies=episodes, rewards=rewards)


def scored(*values: float) -> list[StepReward]:
    return [StepReward.malformed("x") if value < 0 else StepReward.scored(value) for value in values]


def test_an_episode_that_infrastructure_broke_moves_neither_mean_nor_deviation_nor_any_divisor() -> None:
    outcomes = (WON, LOST, LOST)
    whole = group(*(episode((None, None), outcome=outcome) for outcome in outcomes))
    broken = group(*(episode((None, None), outcome=outcome) for outcome in (*outcomes, BROKEN)))
    assert broken.std == whole.std
    assert broken.advantages()[:3] == whole.advantages()
    assert verdict(broken, 0.01) == "kept"
    with_broken = episode_tree(broken, by_turn=False, settings=SETTINGS)
    without = episode_tree(whole, by_turn=False, settings=SETTINGS)
    assert with_broken == without
    assert Normaliser.of([with_broken]).replies == 3


def test_only_the_models_own_tokens_are_loss_targets() -> None:
    (branch, _) = episode_tree(
        group(episode((0, None), (1, None), outcome=WON), episode((0, None))), by_turn=False, settings=SETTINGS
    ).branches
    assert branch.trained_offsets == (0, 1, 5, 6)
    assert branch.advantage == 1.0


def test_success_is_the_mean_reward_of_what_is_known() -> None:
    assert (
        success(group(episode((0, None), outcome=WON), episode((0, None)), episode((0, None), outcome=BROKEN))) == 0.5
    )
    assert success(group(episode((0, None), outcome=BROKEN))) is None
    cut_off = replace(episode((0, None), outcome=StepReward.masked("turn_limit")), ended=False)
    assert success(group(episode((0, None), outcome=WON), cut_off, cut_off, cut_off)) == 0.25
    spoken = [episode((0, reward)) for reward in scored(0.8, -1.0)]
    assert success(group(*spoken, by_outcome=False)) == pytest.approx(0.4)


def test_replies_are_compared_with_those_to_the_same_experts_step() -> None:
    first, second = scored(0.2, 0.6), scored(1.0, 0.0)
    found = turn_advantages(
        group(episode((0, first[0]), (1, second[0])), episode((0, first[1]), (1, second[1])), by_outcome=False),
        epsilon=0.01,
    )
    assert found[0] == pytest.approx((-1, -1, 0, 0, 0, 1, 1))
    assert found[1] == pytest.approx((1, 1, 0, 0, 0, -1, -1))


def test_a_malformed_reply_and_the_next_try_belong_to_the_same_step() -> None:
    bad, good = scored(-1.0, 0.5)
    found = turn_advantages(
        group(episode((0, bad), (0, good)), episode((0, good)), by_outcome=False), epsilon=0.01, normalise=False
    )
    assert found[0] == pytest.approx((-1.0, -1.0, 0, 0, 0, 0.5, 0.5))
    assert found[1] == pytest.approx((0.5, 0.5))


def test_turn_groups_that_agree_teach_nothing_beside_one_that_does_not() -> None:
    agree, differ = scored(0.3, 0.3), scored(0.1, 0.9)
    made = group(episode((0, agree[0]), (1, differ[0])), episode((0, agree[1]), (1, differ[1])), by_outcome=False)
    assert turn_verdict(made, 0.01) == "kept"
    assert turn_advantages(made, epsilon=0.01)[0][:2] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.3, 0.3), "all_equal"),
        ((-1.0, -1.0), "all_malformed"),
        ((1.0, 1.0), "all_perfect"),
        ((0.3,), "without_reward"),
    ],
)
def test_verdicts_by_turn(values: tuple[float, ...], said: str) -> None:
    assert turn_verdict(group(*(episode((0, one)) for one in scored(*values)), by_outcome=False), 0.01) == said


def test_turns_of_a_broken_episode_are_in_no_turn_group() -> None:
    values = scored(0.2, 0.6, 1.0)
    whole = group(*(episode((0, one)) for one in values[:2]), by_outcome=False)
    broken = group(
        *(episode((0, one)) for one in values[:2]), episode((0, values[2]), outcome=BROKEN), by_outcome=False
    )
    assert turn_advantages(broken, epsilon=0.01)[:2] == turn_advantages(whole, epsilon=0.01)
    assert set(turn_advantages(broken, epsilon=0.01)[2]) == {0.0}


def test_without_dynamic_sampling_turns_teach_however_little_they_deviate() -> None:
    played = group(*(episode((0, reward)) for reward in scored(0.50, 0.51)), by_outcome=False)
    with_it, without = (
        episode_tree(played, by_turn=True, settings=replace(SETTINGS, epsilon=0.1, dynamic_sampling=wanted))
        for wanted in (True, False)
    )
    assert [branch.advantages for branch in with_it.branches] == [(0.0, 0.0), (0.0, 0.0)]
    assert [branch.advantages for branch in without.branches] == [(-1.0, -1.0), (1.0, 1.0)]

"""Groups: advantages as the paper's equation 1 has them, and the filter of equation 3."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.learning.batches import StepId
from srl_swe.learning.chat_tokens import Trunk
from srl_swe.learning.groups import DynamicSampling, Group, verdict
from srl_swe_envs.rewards.score import StepReward

TRUNK = Trunk(conversation="c", token_ids=(), targets=())
SIMILARITY = st.floats(0, 1)
REWARD = st.one_of(
    SIMILARITY.map(StepReward.scored),
    st.just(StepReward.malformed("no_action")),
    st.just(StepReward.infra("engine gone")),
)


def group(*rewards: StepReward) -> Group:
    return Group(trunk=TRUNK, target=0, replies=(), rewards=rewards)


def scored(*values: float) -> Group:
    return group(*(StepReward.scored(value) for value in values))


@given(rewards=st.lists(REWARD, min_size=2, max_size=8))
def test_infra_failures_move_neither_mean_nor_deviation(rewards: list[StepReward]) -> None:
    known = [reward for reward in rewards if not math.isnan(reward.value)]
    whole, without = group(*rewards), group(*known)
    assert whole.std == without.std
    kept = [a for a, r in zip(whole.advantages(), rewards, strict=True) if not math.isnan(r.value)]
    assert kept == list(without.advantages())
    assert all(a == 0 for a, r in zip(whole.advantages(), rewards, strict=True) if math.isnan(r.value))


def test_advantages_use_the_population_deviation() -> None:
    values = np.array([0.1, 0.4, 0.4, 0.9])
    expected = (values - values.mean()) / values.std(ddof=0)
    assert scored(*values).advantages() == pytest.approx(tuple(expected), abs=1e-15)


@given(value=SIMILARITY, replies=st.integers(2, 16))
def test_equal_rewards_teach_nothing_however_their_mean_is_rounded(value: float, replies: int) -> None:
    assert scored(*[value] * replies).advantages() == (0.0,) * replies
    assert np.std([0.1] * 3) > 0.0
    assert scored(0.1, 0.1, 0.1).std == 0.0


def test_advantages_can_be_left_unnormalised() -> None:
    assert scored(0.0, 1.0).advantages(normalise=False) == (-0.5, 0.5)


def test_the_filter_says_why_a_group_teaches_nothing() -> None:
    bad = StepReward.malformed("no_action")
    assert verdict(scored(0.2, 0.4), 0.01) == "kept"
    assert verdict(scored(0.2, 0.2), 0.01) == "all_equal"
    assert verdict(scored(1.0, 1.0), 0.01) == "all_perfect"
    assert verdict(group(bad, bad), 0.01) == "all_malformed"
    assert verdict(group(StepReward.infra("x"), StepReward.scored(1.0)), 0.01) == "without_reward"
    assert verdict(group(bad, StepReward.scored(0.3)), 0.01) == "kept"


def test_float_noise_is_no_variance() -> None:
    assert verdict(scored(0.3, 0.1 + 0.2, 0.3), 0.01) == "all_equal"


def test_sampling_fills_up_to_what_is_wanted_and_no_further() -> None:
    steps = [StepId(trunk=0, target=k) for k in range(5)]
    sampling = DynamicSampling(wanted=2)
    assert sampling.add([(steps[0], "kept"), (steps[1], "all_equal")]) == {steps[0]}
    assert sampling.missing == 1
    assert sampling.add([(steps[2], "kept"), (steps[3], "kept")]) == {steps[2]}
    assert (sampling.sampled, sampling.kept, sampling.rounds) == (4, 2, 2)


def test_without_dynamic_sampling_equal_groups_stay() -> None:
    steps = [StepId(trunk=0, target=k) for k in range(2)]
    sampling = DynamicSampling(wanted=2, enabled=False)
    assert sampling.add([(steps[0], "all_equal"), (steps[1], "without_reward")]) == {steps[0]}

"""Which steps are pivots, and how often they come."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from srl_swe.config import parse_config
from srl_swe.domains.math.prompts import load_math_prompts
from srl_swe.domains.math.scoring import MathScorer
from srl_swe.domains.math.solutions import Solution, SolutionStep
from srl_swe.domains.math.steps import MathSteps
from srl_swe.learning.batches import StepId
from srl_swe.learning.chat_tokens import Trunk, TrunkTarget
from srl_swe.learning.groups import Group, SampledReply
from srl_swe.learning.models import load_model
from srl_swe.learning.pivots import StepProfile, chunk_number, pivots, profile_steps
from srl_swe.learning.rollout.generated import GenerateSampler
from srl_swe.learning.settings import PivotSettings, RolloutSettings
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.score import StepReward

SETTINGS = PivotSettings(enabled=True, replies=4)


def trunk(targets: int) -> Trunk:
    places = tuple(
        TrunkTarget(step=number, prompt_end=number + 1, suffix=(), expert_span=(number + 1, number + 2))
        for number in range(targets)
    )
    return Trunk(conversation="t", token_ids=tuple(range(targets + 2)), targets=places)


def group(*values: float) -> Group:
    reply = SampledReply(token_ids=(1,), logps=(0.0,), text="", ended=True)
    rewards = tuple(
        StepReward.malformed("no_action")
        if v == -1
        else StepReward.infra("x")
        if math.isnan(v)
        else StepReward.scored(v)
        for v in values
    )
    return Group(trunk=trunk(1), target=0, replies=(reply,) * len(values), rewards=rewards)


def profile(target: int, *values: float) -> StepProfile:
    return StepProfile.of(StepId(trunk=0, target=target), group(*values))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.1, 0.4, 0.2, 0.9), "kept"),
        ((-1.0, 0.4, -1.0, -1.0), "kept"),
        ((0.4, 0.4, 0.4, 0.4), "flat"),
        ((1.0, 1.0, 0.9, 1.0), "solved"),
        ((-1.0, -1.0, 0.0, -1.0), "hopeless"),
        ((math.nan, math.nan, math.nan, math.nan), "hopeless"),
        ((math.nan, 0.2, 0.6, math.nan), "kept"),
    ],
)
def test_a_step_is_a_pivot_when_its_replies_differ_and_it_is_neither_solved_nor_hopeless(
    values: tuple[float, ...], verdict: str
) -> None:
    assert profile(0, *values).verdict(SETTINGS) == verdict


def test_only_pivots_stay_and_those_that_vary_most_come_more_often() -> None:
    found = [profile(0, 0.5, 0.5), profile(1, 0.0, 1.0), profile(2, 0.4, 0.5), profile(3, 1.0, 1.0)]
    (kept,) = pivots([trunk(4)], found, SETTINGS)
    assert [target.step for target in kept.targets] == [1, 2]
    twice = pivots([trunk(4)], found, PivotSettings(enabled=True, weight=3))
    assert [[target.step for target in one.targets] for one in twice] == [[1, 2], [1], [1]]
    assert pivots([trunk(4)], found[:1], SETTINGS) == ()


def test_settings_that_can_not_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        parse_config(PivotSettings, {"replies": 1})


def test_chunks_cover_all_steps_once_and_do_not_depend_on_each_other(tmp_path: Path) -> None:
    solutions = [
        Solution(
            id=str(number),
            problem=f"problem {number}",
            steps=(SolutionStep(text=f"step {number}"), SolutionStep(text="\\boxed{1}")),
            boundaries="given",
        )
        for number in range(18)
    ]
    scorer = MathScorer(MathSteps(prompts=load_math_prompts(), include_last=True, layout="turns"))
    make_tiny_model(tmp_path, ["<think></think>"], TinyModel(vocabulary=300, hidden=16, layers=1, heads=2), seed=0)
    loaded = load_model(str(tmp_path), dtype="float32")
    trunks = []
    for solution in solutions:
        scorer.add(solution)
        (conversation,) = scorer.steps.conversations(solution)
        trunks.append(loaded.chat.trunk(conversation))
    sampler = GenerateSampler(chat=loaded.chat, settings=RolloutSettings(max_reply_tokens=2))
    few = PivotSettings(replies=2)
    whole = list(profile_steps(loaded.model, trunks, range(2), sampler, scorer, few, seed=3))
    assert [one.step for some in whole for one in some] == [
        StepId(trunk=number, target=target) for number in range(18) for target in (0, 1)
    ]
    assert list(profile_steps(loaded.model, trunks, [1], sampler, scorer, few, seed=3)) == whole[1:]
    assert {chunk_number(number) for number in range(18)} == {0, 1}

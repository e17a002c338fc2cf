"""Episodes on mathematics: what is asked, what each reply is compared with, and what the answer is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from srl_swe.domains.math.checking import AnswerChecker
from srl_swe.domains.math.episodes import MathEpisodes
from srl_swe.domains.math.prompts import load_math_prompts, step_reply
from srl_swe.domains.math.scoring import MathScorer
from srl_swe.domains.math.solutions import Solution, numbered_steps
from srl_swe.domains.math.steps import MathSteps

PREAMBLE, STEPS = numbered_steps("Let us see.\n1. **Add** $1+1=2$\n2. **Double** $2*2=4$\n3. **Answer** $\\boxed{4}$")
SOLUTION = Solution(
    id="s/1", problem="What is 2(1+1)?", steps=STEPS, boundaries="numbered", preamble=PREAMBLE, answer="4"
)
EXPERT = [step_reply(step.text) for step in STEPS]


@pytest.fixture(scope="module")
def checker() -> Iterator[AnswerChecker]:
    with AnswerChecker(boxed_only=True) as found:
        yield found


def episodes(checker: AnswerChecker, **settings: Any) -> MathEpisodes:
    scorer = MathScorer(MathSteps(prompts=load_math_prompts(), layout="turns", include_last=True))
    scorer.add(SOLUTION)
    return MathEpisodes(solutions=(SOLUTION,), scorer=scorer, checker=checker, **settings)


def test_the_experts_steps_earn_everything_and_end_with_the_right_answer(checker: AnswerChecker) -> None:
    episode = episodes(checker, stepwise=True).begin(0)
    seen = [episode.reply(reply, ended=True) for reply in EXPERT]
    assert [(one.step, one.stop) for one in seen] == [(0, ""), (1, ""), (2, "answered")]
    assert [one.reward.value for one in seen if one.reward] == [1.0, 1.0, 1.0]
    assert episode.end(stop="answered").reward.value == 1.0


def test_a_wrong_answer_is_worth_nothing_however_close_its_steps_are(checker: AnswerChecker) -> None:
    episode = episodes(checker, stepwise=True).begin(0)
    for reply in EXPERT[:2]:
        episode.reply(reply, ended=True)
    last = episode.reply(EXPERT[2].replace("4", "5"), ended=True)
    assert last.reward is not None
    assert 0.9 < last.reward.value < 1.0
    assert episode.end(stop=last.stop).reward.value == 0.0


def test_an_episode_goes_on_from_the_experts_step(checker: AnswerChecker) -> None:
    world = episodes(checker, stepwise=True)
    assert world.expert_turns(0) == 3
    opening = world.opening(0, step=2)
    assert [message.content for message in opening.messages if message.role == "assistant"] == EXPERT[:2]
    assert "Let us see." in opening.messages[1].content
    whole = world.scorer.steps.conversations(SOLUTION)
    assert opening.messages == next(whole).messages[:-1]  # as steps were learned
    seen = world.begin(0, step=2).reply(EXPERT[2], ended=True)
    assert (seen.step, seen.stop, seen.reward and seen.reward.value) == (2, "answered", 1.0)


def test_replies_that_can_not_be_read_are_scored_and_tried_again(checker: AnswerChecker) -> None:
    episode = episodes(checker, stepwise=True).begin(0)
    unreadable, cut_off = episode.reply("no thought", ended=True), episode.reply(EXPERT[0], ended=False)
    assert (unreadable.step, cut_off.step, cut_off.malformed) == (0, 0, "truncated")
    assert [one.reward.value for one in (unreadable, cut_off) if one.reward] == [-1.0, -1.0]
    assert episode.reply(EXPERT[0], ended=True).step == 0


def test_an_episode_that_follows_the_expert_ends_with_the_experts_steps(checker: AnswerChecker) -> None:
    followed = episodes(checker, stepwise=True, follow_expert=True).begin(0)
    assert [followed.reply(EXPERT[0], ended=True).stop for _ in STEPS] == ["", "", "expert_ended"]
    alone = episodes(checker, stepwise=True).begin(0)
    seen = [alone.reply(EXPERT[0], ended=True) for _ in range(4)]
    assert (seen[3].stop, seen[3].step, seen[3].reward) == ("", None, None)


@pytest.mark.parametrize(
    ("reply", "stop", "value"),
    [
        ("<think>2(2)</think>It is $\\boxed{4.0}$", "answered", 1.0),
        ("<think>$\\boxed{4}$</think>It is five: $\\boxed{5}$", "answered", 0.0),
        ("<think>2(2)</think>It is 4", "answered", 0.0),
        ("<think>2(2)</think>It is $\\boxed{4}$ bec...", "token_limit", 0.0),
    ],
)
def test_a_whole_solution_is_one_reply(checker: AnswerChecker, reply: str, stop: str, value: float) -> None:
    world = episodes(checker)
    assert world.expert_turns(0) == 0
    assert "Let us see." not in world.opening(0).messages[1].content
    episode = world.begin(0)
    seen = episode.reply(reply.removesuffix("..."), ended=not reply.endswith("..."))
    assert (seen.stop, seen.step, seen.reward) == (stop, None, None)
    assert episode.end(stop=seen.stop).reward.value == value

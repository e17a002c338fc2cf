"""How solutions become conversations, and how replies to their steps are scored."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest

from srl_swe.domains.math.prompts import load_math_prompts
from srl_swe.domains.math.scoring import MathScorer
from srl_swe.domains.math.solutions import Solution, numbered_steps
from srl_swe.domains.math.steps import MathSteps
from srl_swe.learning.chat_tokens import ChatTokenizer
from srl_swe.learning.models import load_tokenizer
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe_envs.errors import ConfigError

PREAMBLE, STEPS = numbered_steps("Let $x>0$.\n1. **Add**: $1+1=2$\n2. **Double**: $2+2=4$\n3. **Answer**: \\boxed{4}")
SOLUTION = Solution(id="s", problem="What is it?", steps=STEPS, boundaries="numbered", preamble=PREAMBLE, answer="4")


def steps(**changes: Any) -> MathSteps:
    return MathSteps(prompts=load_math_prompts(), **changes)


def test_n_steps_make_n_minus_one_instances_each_after_the_steps_before_it() -> None:
    first, second = steps().conversations(SOLUTION)
    system, asked, reply = second.messages
    assert "next step" in system.content
    assert asked.content == f"What is it?\n\nThe solution so far:\n\nLet $x>0$.\n\n{STEPS[0].text}"
    assert reply.content == f"<think>\n\n</think>\n\n{STEPS[1].text}"
    assert STEPS[1].text not in asked.content
    assert (first.targets[0].step, second.targets[0].step) == (0, 1)
    assert len(list(steps(include_last=True).conversations(SOLUTION))) == 3


def test_a_given_title_leaves_only_the_body_to_learn() -> None:
    titled = steps(next_title=True)
    _, second = titled.conversations(SOLUTION)
    assert second.messages[1].content.endswith("The next step is: 2. **Double**:")
    assert second.messages[2].content.endswith("</think>\n\n$2+2=4$")
    (turns,) = steps(next_title=True, layout="turns").conversations(SOLUTION)
    assert turns.messages[3].content == "The next step is: 2. **Double**:"


def test_steps_as_turns_are_one_conversation_with_every_step_a_target() -> None:
    (conversation,) = steps(layout="turns", include_last=True).conversations(SOLUTION)
    assert [message.role for message in conversation.messages][1:] == ["user", "assistant"] * 3
    assert [target.step for target in conversation.targets] == [0, 1, 2]
    assert "Let $x>0$." in conversation.messages[1].content
    shown = list(steps(layout="turns", last_steps=1).conversations(SOLUTION))
    assert [len(one.messages) for one in shown] == [3, 5]


def test_a_short_history_drops_the_first_steps() -> None:
    *_, last = steps(last_steps=1, include_last=True).conversations(SOLUTION)
    assert STEPS[0].text not in last.messages[1].content
    assert STEPS[1].text in last.messages[1].content


def test_the_whole_solution_at_once_asks_with_the_words_of_evaluation() -> None:
    (conversation,) = steps(merge=0).conversations(SOLUTION)
    assert conversation.messages[:2] == load_math_prompts().whole("What is it?")
    assert all(step.text in conversation.messages[2].content for step in STEPS)
    (pair,) = steps(merge=2).conversations(SOLUTION)
    assert pair.messages[2].content.endswith(f"{STEPS[0].text}\n\n{STEPS[1].text}")


@pytest.mark.parametrize(
    "changes", [{}, {"next_title": True}, {"merge": 0}, {"merge": 2}, {"layout": "turns"}], ids=str
)
def test_the_scorer_knows_the_steps_that_conversations_have(changes: dict[str, Any]) -> None:
    how = steps(**changes)
    scorer = MathScorer(how)
    scorer.add(SOLUTION)
    for conversation in how.conversations(SOLUTION):
        for target in conversation.targets:
            (reward,) = scorer.score("s", target.step, [conversation.messages[target.message].content])
            assert reward.value == 1.0


def test_a_reply_is_worth_its_steps_similarity_whatever_it_thought_and_malformed_without_one() -> None:
    scorer = MathScorer(steps())
    scorer.add(SOLUTION)
    said = "1. **Add**: $1+1=3$"
    replies = [f"<think>hm</think>{said}", said, "<think>hm", "<think>hm</think> \n", f"<think></think>{said}"]
    rewards = scorer.score("s", 0, replies, truncated=[False] * 4 + [True])
    assert rewards[0].value == difflib.SequenceMatcher(None, said, STEPS[0].text, autojunk=False).ratio()
    assert [reward.reason for reward in rewards[1:]] == ["no_thought", "unclosed_thought", "no_action", "truncated"]
    with pytest.raises(ConfigError, match="no step 9"):
        scorer.score("s", 9, [said])


@pytest.mark.parametrize("changes", [{}, {"layout": "turns"}, {"merge": 0}], ids=str)
def test_conversations_become_trunks_with_nested_prompts(tmp_path: Path, changes: dict[str, Any]) -> None:
    make_tiny_model(tmp_path, [SOLUTION.problem], TinyModel(vocabulary=300, hidden=16, layers=1, heads=2), 0)
    chat = ChatTokenizer(tokenizer=load_tokenizer(str(tmp_path)))
    for conversation in steps(include_last=True, **changes).conversations(SOLUTION):
        trunk = chat.trunk(conversation)
        for target, place in zip(conversation.targets, trunk.targets, strict=True):
            begin, end = place.expert_span
            text, ended = chat.decode(trunk.token_ids[begin:end])
            assert (text, ended) == (conversation.messages[target.message].content, True)

"""Final answers by math-verify, and what models write to break it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe.domains.math.answers import final_answer
from srl_swe.domains.math.checking import AnswerChecker, given_answer


@pytest.fixture(scope="module")
def checker() -> Iterator[AnswerChecker]:
    with AnswerChecker(timeout_s=5.0) as checker:
        yield checker


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        (r"<think>\boxed{1}</think> so \boxed{\frac{2}{4}}", "0.5", True),
        (r"\boxed{033}", "33", True),
        (r"\boxed{x = 3}", "3", True),
        (r"\boxed{(1,2)}", "(1, 2)", True),
        (r"first \boxed{5}, no, \boxed{6}", "5", False),
        ("the answer is 7.", "7", True),
        (r"\boxed{}", "7", False),
        ("", "7", False),
        (r"<think>\boxed{7}</think>", "7", False),
    ],
)
def test_equal_answers_are_right_however_they_are_written(
    checker: AnswerChecker, reply: str, answer: str, right: bool
) -> None:
    assert checker.correct(reply, answer) is right


def test_answers_that_never_end_are_wrong_and_the_next_one_is_checked(checker: AnswerChecker) -> None:
    before = checker.timeouts
    assert checker.correct(r"\boxed{10^{10^{10^{10}}}}", "3") is False
    assert checker.timeouts == before + 1
    assert checker.correct(r"\boxed{1/2+1/3}", "5/6") is True


def test_many_threads_may_ask(checker: AnswerChecker) -> None:
    found: dict[int, bool] = {}

    def ask(number: int) -> None:
        found[number] = checker.correct(f"\\boxed{{{number} + 1}}", str(number + number % 2))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number % 2 == 1 for number in range(12)}


def test_without_a_box_there_is_no_answer_where_only_boxes_count() -> None:
    with AnswerChecker(boxed_only=True) as strict:
        assert strict.correct("the answer is 7.", "7") is False
        assert strict.correct(r"\boxed{7}", "7") is True


def test_every_real_answer_is_right_in_a_box_with_another_spelling(checker: AnswerChecker, shared_data: Path) -> None:
    for name in ("aime25", "amc23"):
        rows = [json.loads(line) for line in (shared_data / "math" / f"{name}.jsonl").open(encoding="utf-8")]
        for answer in map(final_answer, rows[:10]):
            assert checker.correct(f"\\boxed{{ 0 + {answer} }}", answer), answer
            assert not checker.correct(f"\\boxed{{1 + {answer}}}", answer), answer


def test_the_answer_is_the_last_box_after_the_thought() -> None:
    assert given_answer(r"<think>\boxed{1}</think>\boxed{2} \boxed{3") == "2"
    assert given_answer(r"<think>\boxed{1}</think>") is None

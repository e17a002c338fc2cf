"""Trap 17: answers are text, floats, or only in a box."""

import json

import pytest

from srl_swe.domains.math.answers import final_answer, last_boxed
from srl_swe.logs import Skipped, scan_logs


def test_trap_17_whole_floats_are_whole_numbers_and_minerva_answers_come_from_the_box():
    assert final_answer({"answer": 70.0}) == "70"
    assert final_answer({"answer": 27}) == "27"
    assert final_answer({"answer": " 033 "}) == "033"
    assert final_answer({"answer": 0.5}) == "0.5"
    assert final_answer({"solution": r"first \boxed{1}, then \boxed{\frac{1}{2}}."}) == r"\frac{1}{2}"


def test_an_unclosed_box_is_no_answer():
    assert last_boxed(r"\boxed{3} and \boxed{4") == "3"
    with pytest.raises(ValueError, match="boxed"):
        final_answer({"solution": r"\boxed{4"})


def test_trap_17_every_real_row_has_an_answer(shared_data):
    for name, count in (("aime24", 30), ("aime25", 30), ("amc23", 40), ("minerva_math", 272)):
        rows = [json.loads(line) for line in (shared_data / "math" / f"{name}.jsonl").open(encoding="utf-8")]
        answers = [final_answer(row) for row in rows]
        assert len(answers) == count
        assert name == "minerva_math" or not any(answer.endswith(".0") for answer in answers), name


def test_mathematics_rows_are_files_without_agent_steps_not_errors(shared_data):
    events = list(scan_logs([shared_data / "math"]))
    assert len(events) == 5
    assert all(isinstance(event, Skipped) for event in events)

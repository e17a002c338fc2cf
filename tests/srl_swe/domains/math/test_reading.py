"""Solutions from files: numbered ones, others cut by the segmenter, and what is dropped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.domains.math.reading import Dropped, MathReading, read_solutions
from srl_swe.domains.math.segmenter import segment
from srl_swe.domains.math.solutions import Solution, UnparsableSolution, numbered_steps
from srl_swe_envs.errors import ConfigError

TWO_STEPS = (
    "We use $x>0$.\n\n1. **Square it:**\n   - both sides\n   \\[ x = 4 \\]\n"
    "2. **Check** it holds.\n\nThe answer is \\boxed{4}"
)


def test_numbered_steps_keep_their_lines_titles_and_what_stands_before_them() -> None:
    preamble, (first, second) = numbered_steps(TWO_STEPS)
    assert preamble == "We use $x>0$."
    assert (first.title, second.title) == ("Square it", "Check")
    assert first.text == "1. **Square it:**\n   - both sides\n   \\[ x = 4 \\]"
    assert (first.header, first.body) == ("1. **Square it:**", "- both sides\n   \\[ x = 4 \\]")
    assert second.body.endswith("\\boxed{4}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It is four.", "no_numbered_steps"),
        ("1. square\n2. check", "no_numbered_steps"),
        ("1. **A** a\n3. **B** b", "broken_numbering"),
        ("2. **A** a", "broken_numbering"),
        ("1. **A** a\n2. **B** b\n1. **Again** c", "broken_numbering"),
    ],
)
def test_other_forms_are_refused_with_a_reason_that_is_counted(text: str, reason: str) -> None:
    with pytest.raises(UnparsableSolution) as caught:
        numbered_steps(text)
    assert caught.value.reason == reason


@given(
    st.lists(
        st.sampled_from(
            ["Then $a=b$. ", "So it is. ", "\n\n", "\\[ x\n\ny \\]", "$a. B$ ", "we get:", "\n", "```\nA\n\nB\n```"]
        ),
        max_size=14,
    )
)
def test_segments_are_the_text_in_order_and_cut_no_formula(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = segment(text, 10)
    assert "".join(found).split() == text.split() or " ".join(found).split() == text.split()
    for whole in ("\\[ x\n\ny \\]", "```\nA\n\nB\n```", "$a. B$"):
        assert sum(part.count(whole) for part in found) == text.count(whole)


def test_paragraphs_are_steps_sentences_where_there_is_one_paragraph_and_short_pieces_join() -> None:
    long = "We know that the sum of the first $n$ odd numbers is a square."
    assert segment(f"{long}\n\nHence:\n\n{long}\n\nDone.", 20) == (long, f"Hence:\n\n{long}\n\nDone.")
    assert segment(f"{long} {long}", 20) == (long, long)
    assert segment("Four.", 20) == ("Four.",)
    assert segment("  \n", 20) == ()


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_every_form_are_read_or_dropped_with_a_reason(tmp_path: Path) -> None:
    file = write(
        tmp_path / "rows.jsonl",
        [
            {"id": 7, "question": "q", "deepseek_attempt": TWO_STEPS, "solution": "other"},
            {"problem": "p", "solution": "It is four. It is truly four, as all can see who look at it."},
            {"problem": "p", "steps": ["one", "two"]},
            {"problem": "p"},
            {"solution": "x"},
            3,
        ],
    )
    with file.open("a") as more:
        more.write("{broken\n")
        more.write(json.dumps({"id": 8, "problem": "one\u2028line", "steps": ["a"]}, ensure_ascii=False) + "\n")
    read = list(read_solutions([file], MathReading(boundaries="either", segment_chars=10)))
    kept = [item for item in read if isinstance(item, Solution)]
    assert [(item.id, item.boundaries, len(item.steps), item.answer) for item in kept] == [
        ("rows/7", "numbered", 2, "4"),
        ("rows/2", "automatic", 2, ""),
        ("rows/3", "given", 2, ""),
        ("rows/8", "given", 1, ""),
    ]
    dropped = [item for item in read if isinstance(item, Dropped)]
    assert [item.reason for item in dropped] == ["no_solution", "no_problem", "not_json", "not_json"]
    assert dropped[0].place == f"{file}:4"
    strict = list(read_solutions([file], MathReading()))
    assert Counter(item.reason for item in strict if isinstance(item, Dropped))["no_numbered_steps"] == 1


def test_a_place_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        list(read_solutions([tmp_path / "nowhere"], MathReading()))


def test_the_real_data_set_gives_what_was_counted_by_hand(shared_data: Path) -> None:
    file = shared_data / "math" / "s1k_questions_solutions.json"
    read = list(read_solutions([file], MathReading()))
    reasons = Counter(item.reason for item in read if isinstance(item, Dropped))
    assert reasons == {"no_numbered_steps": 788, "broken_numbering": 15}
    kept = [item for item in read if isinstance(item, Solution)]
    assert sum(len(item.steps) for item in kept) == 1284
    assert all(step.text and step.title for item in kept for step in item.steps)
    either = [i for i in read_solutions([file], MathReading(boundaries="either")) if isinstance(i, Solution)]
    assert Counter(item.boundaries for item in either) == {"automatic": 803, "numbered": 197}

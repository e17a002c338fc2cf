"""The demo's generated mathematics."""

from __future__ import annotations

import json
import re
from pathlib import Path

from srl_swe.demo.arithmetic import FOLDER, rows, write_examples
from srl_swe.domains.math.answers import last_boxed
from srl_swe.domains.math.solutions import numbered_steps

MOVE = re.compile(r"\*\*(?:Turn|Swap) (.*)\*\*: \$(\d),(\d),(\d)\\to\{(\d),(\d),(\d)\}\$")
MOVED = {"the first two": "bac", "the last two": "acb", "the outer two": "cba"}
EQUATION = re.compile(r"(?:^|[=$])([0-9+\-/()*]*[+\-/*][0-9+\-/()*]*)=(\d+)\$")


def is_true(step: str) -> bool:
    """Whether the one formula of a step holds."""
    if found := MOVE.search(step):
        move, *cups = found.groups()
        before = dict(zip("abc", cups[:3], strict=True))
        return [before[name] for name in MOVED[move]] == cups[3:]
    ((left, right),) = EQUATION.findall(re.sub(r"\\cdot{(\d+)}", r"*\1", step))
    return bool(eval(left) == int(right))  # our own digits and signs


def test_generating_again_gives_the_recorded_bytes(tmp_path: Path) -> None:
    write_examples(tmp_path)
    for name in ("train.jsonl", "held_out.jsonl"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_no_held_out_problem_is_a_training_problem() -> None:
    train, held_out = ({row["problem"] for row in rows(split)} for split in ("train", "held_out"))  # type: ignore[arg-type]
    assert len(train) > 500
    assert len(held_out) > 60
    assert not train & held_out


def test_every_solution_is_numbered_and_true_line_by_line() -> None:
    checked = 0
    for split in ("train", "held_out"):
        for row in rows(split):  # type: ignore[arg-type]
            preamble, steps = numbered_steps(row["solution"])
            assert preamble == ""
            assert last_boxed(steps[-1].text) == row["answer"]
            for step in steps[:-1]:
                assert is_true(step.text), (row, step)
                checked += 1
    assert checked > 3000
    assert json.loads((FOLDER / "train.jsonl").read_text().splitlines()[0])["id"].startswith("linear")

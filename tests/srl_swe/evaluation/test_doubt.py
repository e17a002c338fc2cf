"""Verdicts that infrastructure may have decided are marked, and are no reward."""

from __future__ import annotations

from pathlib import Path

import pytest

from srl_swe.evaluation.grading import LOG_NAME, grade_log
from srl_swe.evaluation.grading_container import GradingRun

from .rowset import GOLD, item

RUN = GradingRun(
    applied=True,
    timed_out=False,
    flooded=False,
    complete=True,
    killed_outside=False,
    out_of_memory=False,
    elided_bytes=0,
    duration_s=1.0,
)


@pytest.mark.parametrize(
    ("said", "doubt"),
    [
        ("curl: (6) Could not resolve host: example.org", "network_unreachable"),
        ("Cannot connect to the Docker daemon", "container_unavailable"),
        ("Cannot allocate memory", ""),
        ("FAILED tests/add::sum", ""),
        ("ModuleNotFoundError: No module named 'x'", ""),
    ],
)
def test_a_log_in_which_the_environment_failed_is_in_doubt(tmp_path: Path, said: str, doubt: str) -> None:
    row = item().row
    assert row is not None
    (tmp_path / LOG_NAME).write_text(f"+ git apply\n>>>>> Start Test Output\n{said}\n>>>>> End Test Output\n")
    grade = grade_log(row, GOLD, tmp_path, RUN)
    assert (grade.outcome, grade.doubt) == ("unresolved", doubt)

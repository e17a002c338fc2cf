"""swebench's own command line and our grading, on the same predictions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srl_swe.evaluation.command import run_command
from srl_swe.evaluation.official import OfficialRun, differences
from srl_swe.evaluation.options import Options

from .rowset import GOLD, NOT_APPLICABLE, WRONG, row, write_row_file

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_both_give_the_same_verdicts_and_the_same_reports(row_image: str, tmp_path: Path):
    patches = {"own__adder-0": GOLD, "own__adder-1": WRONG, "own__adder-2": NOT_APPLICABLE, "own__adder-3": ""}
    rows = write_row_file(tmp_path / "rows.jsonl", [row(task) for task in patches])
    predictions = tmp_path / "predictions.jsonl"
    lines = [{"instance_id": t, "model_name_or_path": "m", "model_patch": patch} for t, patch in patches.items()]
    predictions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = Options(
        tasks=str(rows), policy=f"predictions:{predictions}", protocol="agent", out=tmp_path / "run", official=True,
        selfcheck=False, workers=2, test_timeout_s=300,
    )  # fmt: skip
    assert run_command(options) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["official"]["differences"] == []
    assert report["official"]["outcomes"] == {
        "own__adder-0": "resolved",
        "own__adder-1": "unresolved",
        "own__adder-2": "not_applied",
        "own__adder-3": "empty",
    }
    assert {result["task"]: result["outcome"] for result in report["results"]} == report["official"]["outcomes"]
    theirs = tmp_path / "run" / "official" / "logs" / "run_evaluation" / "official" / "m"
    for task in ("own__adder-0", "own__adder-1"):
        ours = tmp_path / "run" / "logs" / task / "sample-0"
        assert json.loads((ours / "report.json").read_text()) == json.loads((theirs / task / "report.json").read_text())
        assert (ours / "eval.sh").read_text() == (theirs / task / "eval.sh").read_text()


def test_regrading_the_logs_gives_the_same_verdicts_without_a_container(row_image: str, tmp_path: Path):
    rows = write_row_file(tmp_path / "rows.jsonl", [row()])
    options = Options(
        tasks=str(rows), policy="gold", protocol="agent", out=tmp_path / "run", selfcheck=False, test_timeout_s=300
    )
    assert run_command(options) == 0
    log = tmp_path / "run" / "logs" / "own__adder-1" / "sample-0" / "test_output.txt"
    from dataclasses import replace

    assert run_command(replace(options, regrade=True)) == 0
    log.write_text(log.read_text().replace("PASSED tests/add::sum", "FAILED tests/add::sum"))
    assert run_command(replace(options, regrade=True)) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["outcomes"]["unresolved"] == 1


def test_a_time_out_of_ours_is_an_error_of_theirs_and_no_difference():
    official = OfficialRun(summary={}, outcomes={"a": "not_applied", "b": "resolved"}, folder=Path())
    assert differences(official, {"a": "timed_out", "b": "resolved", "c": "infra"}) == ()
    assert differences(official, {"b": "unresolved"}) == ("b",)

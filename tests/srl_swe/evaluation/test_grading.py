"""Grading of rows in real containers: verdicts, and what patches and tests can't do to the grader."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from srl_swe.evaluation.grading import LOG_NAME, Grade, RowGrader, grade_from_json, grade_to_json
from srl_swe.evaluation.grading_container import GradingLimits, run_grading
from srl_swe.evaluation.verified import APPLY_COMMANDS
from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.docker.engine import thread_client
from srl_swe_envs.workspaces.leases import LABEL_RUN

from .rowset import GOLD, NOT_APPLICABLE, SLOW, WRONG, item

pytestmark = pytest.mark.docker

LIMITS = GradingLimits(timeout_s=120, memory_bytes=512 << 20, log_bytes=200_000)


def grade(patch: str, folder: Path, **changes: str) -> Grade:
    folder.mkdir(exist_ok=True)
    return RowGrader(limits=LIMITS, run=folder.name).grade(item(**changes), patch, folder)


@pytest.mark.parametrize(
    ("patch", "outcome"),
    [(GOLD, "resolved"), (WRONG, "unresolved"), (NOT_APPLICABLE, "not_applied"), ("", "empty"), (" \n", "empty")],
)
def test_each_patch_gets_its_outcome(row_image: str, tmp_path: Path, patch: str, outcome: str):
    found = grade(patch, tmp_path)
    assert found.outcome == outcome
    assert found.swebench == (outcome == "resolved")


def test_a_grade_survives_json(row_image: str, tmp_path: Path):
    found = grade(WRONG, tmp_path)
    assert found.failed_tests == ("tests/add::sum",)
    assert grade_from_json({**grade_to_json(found), "at": 1.0}) == found


def test_tests_that_hang_are_killed_in_time_with_all_their_children(row_image: str, tmp_path: Path):
    limits = GradingLimits(timeout_s=4, memory_bytes=512 << 20)
    run = f"hanging-{uuid.uuid4().hex}"
    found = RowGrader(limits=limits, run=run).grade(item(), SLOW, tmp_path)
    assert found.outcome == "timed_out"
    left = thread_client().api.containers(all=True, filters={"label": f"{LABEL_RUN}={run}"})
    assert left == []


def test_a_test_that_prints_without_end_is_ended_and_its_log_is_capped(row_image: str, tmp_path: Path):
    limits = GradingLimits(timeout_s=600, memory_bytes=512 << 20, log_bytes=100_000)
    found = RowGrader(limits=limits).grade(item(test="yes"), GOLD, tmp_path)
    assert found.outcome == "unresolved"
    assert "the tests were ended because they printed without end" in found.notes
    assert (tmp_path / LOG_NAME).stat().st_size == 100_000


def test_there_is_no_network_and_no_capability(row_image: str, tmp_path: Path):
    look = "ls /sys/class/net; grep Cap /proc/self/status; grep NoNewPrivs /proc/self/status; bash tests/add"
    assert grade(GOLD, tmp_path, test=look).outcome == "resolved"
    log = (tmp_path / LOG_NAME).read_text()
    assert "\nlo\n" in log
    assert "eth" not in log
    assert "CapEff:\t0000000000000000" in log
    assert "NoNewPrivs:\t1" in log


def test_tests_that_kill_everything_in_their_container_are_unresolved_not_infrastructure(
    row_image: str, tmp_path: Path
):
    found = grade(GOLD, tmp_path, test="kill -9 -1")
    assert found.outcome == "unresolved"
    assert "the tests ended their own container" in found.notes


def test_an_image_that_is_not_there_is_infrastructure(row_image: str, tmp_path: Path):
    with pytest.raises(WorkspaceError, match="no-such-image"):
        grade(GOLD, tmp_path, image="srl-swe/no-such-image:1")


def test_output_that_is_not_text_and_a_patch_with_odd_bytes_are_graded(row_image: str, tmp_path: Path):
    binary = "head -c 5000 /dev/urandom; echo; bash tests/add"
    patch = GOLD.replace("$1 + $2))", "$1 + $2)) # \udcff\udc80")
    assert grade(patch, tmp_path, test=binary).outcome == "resolved"


def test_the_log_is_the_evaluation_scripts_own_output_to_the_last_byte(row_image: str, tmp_path: Path):
    for number, end in enumerate(("printf 'no newline'", "echo newline", "echo; echo")):
        run = run_grading(
            image=row_image, workdir="/testbed", patch=GOLD, script=end, log=tmp_path / str(number), limits=LIMITS
        )
        assert run.complete
    logs = [(tmp_path / str(number)).read_bytes() for number in range(3)]
    assert logs == [b"no newline", b"newline\n", b"\n\n"]


def test_patches_are_tried_in_swebenchs_own_ways():
    harness = pytest.importorskip("swebench.harness.run_evaluation")
    assert list(APPLY_COMMANDS) == harness.GIT_APPLY_CMDS


def test_a_patch_whose_line_numbers_are_off_still_applies(row_image: str, tmp_path: Path):
    assert grade(GOLD.replace("@@ -1 +1 @@", "@@ -30 +30 @@"), tmp_path).outcome == "resolved"

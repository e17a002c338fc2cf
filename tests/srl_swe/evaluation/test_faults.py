"""Faults in the middle of an evaluation: every one ends in the right status, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe.evaluation.grading import RowGrader
from srl_swe.evaluation.grading_container import GradingLimits
from srl_swe.evaluation.patch_sources import Predictions
from srl_swe.evaluation.run import Plan, evaluate
from srl_swe.evaluation.store import RunFolder
from srl_swe_envs.workspaces.docker.engine import thread_client
from srl_swe_envs.workspaces.leases import LABEL_RUN
from srl_swe_envs.workspaces.reaper import reap

from .rowset import GOLD, WRONG, item, row, write_row_file

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[3]
Engine = tuple[str, subprocess.Popen[bytes]]
SLOW_TEST = "sleep 3; bash tests/add"


TOKEN = uuid.uuid4().hex[:8]
"""Makes this process's runs its own: another one may run the same tests on the same engine."""


def containers(run: str) -> list[str]:
    found = thread_client().api.containers(all=True, filters={"label": f"{LABEL_RUN}={run}-{TOKEN}"})
    return [container["Id"] for container in found]


def wait_for(condition: object, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def write_inputs(folder: Path, count: int, test: str = SLOW_TEST) -> tuple[Path, Path]:
    tasks = [f"own__adder-{number}" for number in range(count)]
    rows = write_row_file(folder / "rows.jsonl", [row(task, test=test) for task in tasks])
    predictions = folder / "predictions.jsonl"
    lines = [
        {"instance_id": task, "model_name_or_path": "m", "model_patch": WRONG if number == 1 else GOLD}
        for number, task in enumerate(tasks)
    ]
    predictions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return rows, predictions


def own(folder: Path) -> Path:
    """The run's folder; its name is the run's name on containers."""
    return folder.with_name(f"{folder.name}-{TOKEN}")


def start(folder: Path, rows: Path, predictions: Path, **environment: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "srl_swe", "evaluate", "--tasks", str(rows), "--policy", f"predictions:{predictions}",
        "--out", str(own(folder)), "--workers", "1", "--no-selfcheck", "--memory", "0.5",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'envs'}", **environment}
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=_hear_interrupts,
    )  # fmt: skip


def _hear_interrupts() -> None:
    """A shell starts its background jobs, which these tests may be one of, deaf to interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def graded(folder: Path) -> list[str]:
    path = own(folder) / "grades.jsonl"
    return [json.loads(line)["task"] for line in path.read_text().splitlines()] if path.exists() else []


def outcomes(folder: Path) -> dict[str, str]:
    report = json.loads((own(folder) / "report.json").read_text())
    return {result["task"]: result["outcome"] for result in report["results"]}


def test_kill_9_in_the_middle_keeps_what_was_finished_and_leaves_no_container(row_image: str, tmp_path: Path):
    rows, predictions = write_inputs(tmp_path, 3)
    out = tmp_path / "killed"
    process = start(out, rows, predictions)
    wait_for(lambda: len(graded(out)) == 1 and containers("killed"))
    process.kill()
    process.wait()
    first = (own(out) / "grades.jsonl").read_bytes()
    output, _ = start(out, rows, predictions).communicate(timeout=300)
    assert (own(out) / "grades.jsonl").read_bytes().startswith(first)
    assert sorted(graded(out)) == [f"own__adder-{number}" for number in range(3)], output
    assert outcomes(out) == {"own__adder-0": "resolved", "own__adder-1": "unresolved", "own__adder-2": "resolved"}
    assert containers("killed") == []
    assert len((own(out) / "predictions.jsonl").read_text().splitlines()) == 3


def test_an_interrupt_ends_in_seconds_says_how_to_go_on_and_leaves_no_container(row_image: str, tmp_path: Path):
    rows, predictions = write_inputs(tmp_path, 2, test="sleep 600; bash tests/add")
    process = start(tmp_path / "interrupted", rows, predictions)
    wait_for(lambda: containers("interrupted"))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "run the same command again to go on" in output
    assert containers("interrupted") == []
    assert set(outcomes(tmp_path / "interrupted").values()) == {"not_begun"}


def test_a_container_killed_from_outside_is_retried_and_its_task_keeps_its_verdict(row_image: str, tmp_path: Path):
    def kill_the_first() -> None:
        wait_for(lambda: containers("outside"))
        time.sleep(1.0)
        with contextlib.suppress(Exception):
            thread_client().api.kill(containers("outside")[0])

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    source = Predictions(name="m", patches={"own__adder-1": GOLD})
    grader = RowGrader(limits=GradingLimits(timeout_s=120, memory_bytes=512 << 20), run=f"outside-{TOKEN}")
    with RunFolder.open(tmp_path / "run", {}) as folder:
        plan = Plan(source=source, grader=grader, retry_pause_s=0.1)
        said: list[str] = []
        (done,) = evaluate([item(test=SLOW_TEST)], plan, folder, said=said.append)
    killer.join()
    assert done.grade.outcome == "resolved"


def test_two_evaluations_at_once_do_not_disturb_each_other(row_image: str, tmp_path: Path):
    rows, predictions = write_inputs(tmp_path, 2, test="sleep 1; bash tests/add")
    processes = [start(tmp_path / name, rows, predictions) for name in ("one", "two")]
    for process in processes:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert outcomes(tmp_path / "one") == outcomes(tmp_path / "two")


def test_a_second_evaluation_in_the_same_folder_is_refused(row_image: str, tmp_path: Path):
    rows, predictions = write_inputs(tmp_path, 1, test="sleep 20; bash tests/add")
    first = start(tmp_path / "same", rows, predictions)
    wait_for(lambda: containers("same"))
    output, _ = (second := start(tmp_path / "same", rows, predictions)).communicate(timeout=180)
    assert second.returncode == 2
    assert "is in use by another evaluation" in output
    first.communicate(timeout=300)
    assert first.returncode == 0


def test_a_full_disk_stops_the_run_with_one_line_and_the_rest_is_done_later(row_image: str, tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], check=True)
    try:
        rows, predictions = write_inputs(tmp_path, 3, test="seq 1 20000; bash tests/add")
        process = start(place / "full", rows, predictions)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 1, output
        assert "free some space and run the same command again" in output
        before = graded(place / "full")
        subprocess.run(["mount", "-o", "remount,size=20m", place], check=True)
        output, _ = start(place / "full", rows, predictions).communicate(timeout=300)
        assert graded(place / "full")[: len(before)] == before
        assert sorted(outcomes(place / "full").values()) == ["resolved", "resolved", "unresolved"], output
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def own_engine(row_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A second engine with the row image, that a test may stop; its address and process."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a second engine needs root and dockerd")
    root = tmp_path_factory.mktemp("e")
    host = f"unix://{root}/s"
    engine = start_engine(root, host)
    try:
        saved = subprocess.Popen(["docker", "save", row_image], stdout=subprocess.PIPE)
        subprocess.run(["docker", "-H", host, "load"], stdin=saved.stdout, check=True, capture_output=True)
        yield host, engine
    finally:
        engine.terminate()
        engine.wait(60)


def start_engine(root: Path, host: str) -> subprocess.Popen[bytes]:
    with (root / "log").open("ab") as log:
        engine = subprocess.Popen(
            [
                # Networks and mounts of its own: an engine without a bridge removes the one beside it's, and a
                # killed one leaves mounts.
                "unshare", "--net", "--mount", "dockerd", "--data-root", str(root / "data"),
                "--exec-root", str(root / "exec"), "--pidfile", str(root / "pid"), "-H", host,
                "--bridge", "none", "--iptables=false",
            ],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    ping = ["docker", "-H", host, "version"]
    wait_for(lambda: subprocess.run(ping, capture_output=True, check=False).returncode == 0)
    return engine


@pytest.mark.slow
def test_an_engine_stopped_in_the_middle_is_infra_never_unresolved_and_the_run_goes_on_later(
    own_engine: Engine, tmp_path: Path
):
    host, engine = own_engine
    rows, predictions = write_inputs(tmp_path, 2, test="sleep 5; bash tests/add")
    out = tmp_path / "stopped"
    process = start(out, rows, predictions, DOCKER_HOST=host)
    wait_for(lambda: subprocess.run(["docker", "-H", host, "ps", "-q"], capture_output=True, check=False).stdout)
    engine.kill()
    engine.wait()
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 1, output
    assert set(outcomes(out).values()) == {"infra"}
    report = json.loads((own(out) / "report.json").read_text())
    assert report["resolve_rate"]["raw"]["not_graded_bounds"] == [0.0, 1.0]
    again = start_engine(Path(host.removeprefix("unix://")).parent, host)
    try:
        output, _ = start(out, rows, predictions, DOCKER_HOST=host).communicate(timeout=400)
        assert outcomes(out) == {"own__adder-0": "resolved", "own__adder-1": "unresolved"}, output
    finally:
        again.terminate()
        again.wait(60)


def test_the_reaper_takes_what_a_killed_run_left_and_nothing_else(row_image: str, tmp_path: Path):
    rows, predictions = write_inputs(tmp_path, 1, test="sleep 600")
    doomed, living = (start(tmp_path / name, rows, predictions) for name in ("doomed", "living"))
    wait_for(lambda: containers("doomed") and containers("living"))
    doomed.kill()
    doomed.wait()
    reap()
    assert containers("doomed") == []
    assert len(containers("living")) == 1
    living.send_signal(signal.SIGINT)
    living.communicate(timeout=180)

"""Real sweeps of real, short training runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from srl_swe.cli import main
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe_envs.actions import Shell, Submit, View
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory, Turn, write_trajectories

BASE = """\
stages = ["sft"]
report_to = []
[data]
train = ["logs.jsonl"]
heldout = ["logs.jsonl"]
[prompt]
dialect = "tool_calls"
[model]
path = "start"
[rollout]
max_reply_tokens = 8
[sft]
batch = 2
max_steps = 2
evaluate_every = 1
"""
SWEEP = """\
base = "run.toml"
seeds = [0, 1]
[grid]
sft.learning_rate = [1e-3]
"""


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    turns = (
        Turn(thought="look", action=Shell(command="ls"), observation=Observation(text="a.py")),
        Turn(thought="read", action=View(path="a.py"), observation=Observation(text="1 x")),
        Turn(thought="go", action=Submit()),
    )
    logs = [
        Trajectory(id=f"t{n}", task=Task(id=f"k{n}", problem="it is wrong"), turns=turns, source="s") for n in range(3)
    ]
    write_trajectories(tmp_path / "logs.jsonl", logs)
    make_tiny_model(tmp_path / "start", ["it is wrong"], TinyModel(vocabulary=300, hidden=32, layers=1, heads=2), 0)
    (tmp_path / "run.toml").write_text(BASE)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    return tmp_path


def arguments(workdir: Path, *more: str) -> list[str]:
    return ["sweep", str(workdir / "sweep.toml"), "--out", str(workdir / "out"), *more]


def refused(workdir: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = main(arguments(workdir, *more))
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    return code, said


def test_a_killed_sweep_takes_its_run_along_and_goes_on_where_it_was(workdir: Path) -> None:
    command = [sys.executable, "-m", "srl_swe", *arguments(workdir)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    sweep = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (done := list((workdir / "out").glob("*/*/summary.json"))):
        assert sweep.poll() is None, "the sweep ended before its first run did"
        time.sleep(0.05)
    while not list((workdir / "out").glob("*/seed-1.log")):
        assert sweep.poll() is None, "the sweep ended before its second run began"
        time.sleep(0.05)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    deadline = time.monotonic() + 20
    while trainers(workdir):
        assert time.monotonic() < deadline, "a training run outlived its sweep"
        time.sleep(0.05)
    first = done[0].read_bytes(), done[0].stat().st_mtime_ns
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (done[0].read_bytes(), done[0].stat().st_mtime_ns) == first
    record = json.loads((workdir / "out/sweep.json").read_text())
    assert [(row["row"], row["seeds"]) for row in record["rows"]] == [("sft.learning_rate=0.001", [0, 1])]
    assert {cell["status"] for cell in record["cells"]} == {"done"}
    assert record["rows"][0]["heldout"]["reward"]["count"] == 2
    assert "2 runs, 1 done before" in again.stdout
    assert (workdir / "out/table.md").read_text().startswith("| row | reward |")


def trainers(workdir: Path) -> list[str]:
    """Processes that train in a folder."""
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if "srl_swe train" in line and str(workdir) in line]


def test_a_run_that_fails_is_named_and_does_not_end_the_sweep(workdir: Path, capsys: Any) -> None:
    hopeless = '[rows.a]\nstages = ["srl"]\nsrl.patience = 1\nsrl.refill_rounds = 0\nsrl.batch = 1\n'
    (workdir / "sweep.toml").write_text(f'base = "run.toml"\n{hopeless}[rows.b]\nsft.max_steps = 1\n')
    assert main(arguments(workdir)) == 1
    cells = json.loads((workdir / "out/sweep.json").read_text())["cells"]
    assert [cell["status"] for cell in cells] == ["failed", "done"]
    assert "no group passed the filter" in cells[0]["error"]
    assert "1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grid]\nsrl.epsylon = [0.1]\n", "did you mean 'epsilon'"),
        ('[rows.a]\nprompt.merge_steps = "two"\n', "a whole number is expected"),
        ('[rows.a]\nreward.scorer = "embedding"\n', "needs embedding_model"),
    ],
)
def test_a_key_that_training_does_not_know_is_one_line_before_anything_runs(
    workdir: Path, capsys: Any, text: str, message: str
) -> None:
    (workdir / "sweep.toml").write_text(f'base = "run.toml"\n{text}')
    code, said = refused(workdir, capsys)
    assert (code, message in said) == (2, True), said
    assert not (workdir / "out").exists()


def test_fresh_throws_away_a_sweep_that_was_killed_early_but_nothing_for_a_misspelt_key(
    workdir: Path, capsys: Any
) -> None:
    sweep = subprocess.Popen(
        [sys.executable, "-m", "srl_swe", *arguments(workdir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list((workdir / "out").glob("*/seed-0.log")):  # no run of it has ended
        assert sweep.poll() is None, "the sweep ended before its first run began"
        time.sleep(0.05)
    sweep.kill()
    sweep.wait()
    (kept,) = (workdir / "out").glob("*/seed-0.log")
    (workdir / "sweep.toml").write_text(f"{SWEEP}srl.epsylon = [1]\n")
    code, said = refused(workdir, capsys, "--fresh")
    assert (code, "did you mean 'epsilon'" in said, kept.exists()) == (2, True, True)
    (workdir / "sweep.toml").write_text('base = "run.toml"\n[rows.b]\nsft.max_steps = 1\n')
    assert main(arguments(workdir, "--fresh")) == 0
    assert not kept.exists()


def test_what_training_finds_out_later_also_ends_the_sweep_with_one_line(workdir: Path, capsys: Any) -> None:
    (workdir / "sweep.toml").write_text('base = "run.toml"\n[rows.a]\ndata.max_tokens = 3\n')
    code, said = refused(workdir, capsys)
    assert (code, "no step is short enough" in said) == (2, True), said


def test_a_folder_of_another_sweep_is_refused(workdir: Path, capsys: Any) -> None:
    from srl_swe.sweep.settings import cells, read_sweep

    (cell, *_) = cells(read_sweep(workdir / "sweep.toml"))
    stored = workdir / "out" / cell.folder
    stored.mkdir(parents=True)
    (stored / "config.toml").write_text("seed = 9\n")
    code, said = refused(workdir, capsys)
    assert (code, "another configuration" in said) == (2, True)
    code, said = refused(workdir, capsys, "--fresh")
    assert (code, "no sweep's folder" in said) == (2, True)

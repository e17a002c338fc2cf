"""A whole run, and the same run killed and taken up again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from srl_swe.cli import main


def command(workdir: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "srl_swe",
        "train",
        str(workdir / "run.toml"),
        "--out",
        str(workdir / "out"),
        *arguments,
    ]


def run(workdir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(workdir, *arguments), capture_output=True, text=True, env=environment, check=False, cwd=workdir
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def losses(out: Path) -> list[tuple[int, float]]:
    """Step and loss of each SFT update, as logged."""
    return [(line["step"], line["loss"]) for line in lines(out / "1-sft/metrics.jsonl") if "loss" in line]


def rewards(out: Path) -> list[tuple[int, float, float]]:
    """Step, mean reward and gradient norm of each SRL update, as logged."""
    found = lines(out / "2-srl/metrics.jsonl")
    return [(line["step"], line["reward/mean"], line["grad_norm"]) for line in found if "reward/mean" in line]


def test_a_run_trains_both_stages_and_leaves_what_it_promises(workdir: Path) -> None:
    done = run(workdir, "--set", 'report_to=["tensorboard"]')
    assert done.returncode == 0, done.stderr
    out = workdir / "out"
    assert list((out / "2-srl/tensorboard").glob("events*"))
    assert not list(workdir.rglob("runs"))
    summary = json.loads((out / "summary.json").read_text())
    assert [stage["name"] for stage in summary["stages"]] == ["start", "sft", "srl"]
    before, after_sft, after_srl = (stage["heldout"] for stage in summary["stages"])
    assert after_sft["reward"] > before["reward"]
    assert after_srl["reward"] >= after_sft["reward"]  # the start stays when nothing beats it
    assert "after srl" in done.stdout
    assert Path(summary["model"], "model.safetensors").exists()
    assert [step for step, *_ in rewards(out)] == list(range(1, 7))
    samples = lines(out / "2-srl/samples.jsonl")
    assert {"group", "reply", "expert", "reward", "status", "reason"} <= samples[0].keys()
    assert json.loads((out / "data.json").read_text())["train"]["used"] == 6
    assert "learning_rate = 0.001" in (out / "config.toml").read_text()


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [("constant", [0.0, 0.5, 1.0, 1.0]), ("linear", [0.0, 0.5, 1.0, 0.5]), ("cosine", [0.0, 0.5, 1.0, 0.5])],
)
def test_every_schedule_warms_up(workdir: Path, schedule: str, rates: list[float]) -> None:
    values = {"schedule": f'"{schedule}"', "warmup": 0.5, "max_steps": 4, "evaluate_every": 4, "learning_rate": 1e-3}
    sets = [part for key, value in values.items() for part in ("--set", f"sft.{key}={value}")]
    done = run(workdir, "--set", 'stages=["sft"]', *sets)
    assert done.returncode == 0, done.stderr
    found = [line["learning_rate"] for line in lines(workdir / "out/1-sft/metrics.jsonl") if "learning_rate" in line]
    assert found == pytest.approx([1e-3 * rate for rate in rates])


@pytest.mark.slow
def test_a_run_killed_in_each_stage_ends_like_one_that_was_not(workdir: Path) -> None:
    assert run(workdir).returncode == 0
    (workdir / "out").rename(workdir / "whole")
    for begun in ("1-sft/checkpoint-50", "2-srl/checkpoint-2"):
        kill_after(workdir, workdir / "out" / begun / "complete")
    partial = workdir / "out/2-srl/checkpoint-99"  # as a kill in the middle of saving leaves it
    partial.mkdir()
    done = run(workdir)
    assert done.returncode == 0, done.stderr
    assert not partial.exists()
    for updates, count in ((losses, 100), (rewards, 6)):
        found = updates(workdir / "out")
        assert found == updates(workdir / "whole")
        assert [step for step, *_ in found] == list(range(1, count + 1))


def kill_after(workdir: Path, made: Path) -> None:
    """Start the run, and kill it when it has made something."""
    process = subprocess.Popen(
        command(workdir),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not made.exists():
        assert process.poll() is None, f"the run ended before there was {made}"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_run_that_was_moved_between_its_stages_goes_on_from_where_it_is_now(workdir: Path) -> None:
    few = ("--set", "srl.max_steps=1")
    assert run(workdir, *few).returncode == 0
    out, moved = workdir / "out", workdir / "elsewhere/moved"
    best = json.loads((out / "1-sft/stage.json").read_text())["best_step"]
    assert best > 0
    (out / "1-sft/stage.json").write_text((out / "1-sft/stage.json").read_text().replace(str(workdir), "/nowhere"))
    (out / "summary.json").unlink()
    shutil.rmtree(out / "2-srl")
    moved.parent.mkdir()
    out.rename(moved)
    done = run(workdir, *few, "--out", str(moved))
    assert done.returncode == 0, done.stderr
    stages = json.loads((moved / "summary.json").read_text())["stages"]
    assert [stage["name"] for stage in stages] == ["start", "sft", "srl"]
    assert stages[1]["model"] == str(moved / f"1-sft/checkpoint-{best}")


def refused(workdir: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the one line on standard error."""
    code = main(command(workdir, *arguments)[3:])
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    return code, said


def test_another_configuration_in_the_same_folder_is_refused(workdir: Path, capsys: Any) -> None:
    (workdir / "out").mkdir()
    (workdir / "out/config.toml").write_text("seed = 5\n")
    (workdir / "out/data.json").write_text("{}")
    code, said = refused(workdir, capsys)
    assert (code, "holds a run with another configuration" in said) == (2, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", 'data.train=["nowhere.jsonl"]'], "nowhere.jsonl"),
        (["--set", "srl.bach=3"], "did you mean 'batch'"),
        (["--set", "data.max_tokens=5"], "no step is short enough"),
        (["--set", "model.path=prompts"], "no config.json"),
        (["--set", "prompt.history=some"], "write 'full' or 'last:n'"),
        (["--set", "prompt.thoughts=false"], "leave out the stage 'sft'"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(workdir: Path, capsys: Any, change: list[str], message: str) -> None:
    code, said = refused(workdir, capsys, *change)
    assert code == 2
    assert message in said


def test_an_empty_data_set_says_what_was_left_out(workdir: Path, capsys: Any) -> None:
    text = (workdir / "train.jsonl").read_text().replace('"outcome": "resolved"', '"outcome": "unresolved"')
    (workdir / "train.jsonl").write_text(text)
    code, said = refused(workdir, capsys)
    assert (code, "6 read, 6 unresolved" in said) == (2, True)


def test_a_run_in_which_no_group_differs_ends_with_an_explanation(workdir: Path, capsys: Any) -> None:
    untrained = ("--set", 'stages=["srl"]', "--set", "srl.patience=2", "--set", "srl.refill_rounds=0")
    code, said = refused(workdir, capsys, *untrained)
    assert code == 1
    assert "no group passed the filter in 2 updates" in said
    assert "all_malformed" in said


def test_a_model_directory_without_a_tokenizer_is_named(workdir: Path, capsys: Any) -> None:
    assert main(command(workdir, "--set", 'stages=["sft"]', "--set", "sft.max_steps=1")[3:]) == 0
    model = workdir / "bare"
    (workdir / "out/start").rename(model)
    for file in model.glob("tokenizer*"):
        file.unlink()
    capsys.readouterr()
    code, said = refused(workdir, capsys, "--fresh", "--set", "model.path=bare")
    assert (code, "bare: no tokenizer" in said) == (2, True)


def test_a_template_that_breaks_nesting_is_named_and_trains_per_step(workdir: Path, capsys: Any) -> None:
    one_step = ("--set", 'stages=["sft"]', "--set", "sft.max_steps=1")
    assert main(command(workdir, *one_step)[3:]) == 0
    model = workdir / "rewriting"
    (workdir / "out/start").rename(model)
    template = (model / "chat_template.jinja").read_text()
    shown = "(message.content if loop.last else message.content.split('</think>')[-1])"
    (model / "chat_template.jinja").write_text(template.replace("message.content +", f"{shown} +"))
    capsys.readouterr()
    code, said = refused(workdir, capsys, "--fresh", *one_step, "--set", "model.path=rewriting")
    assert (code, "rewrites earlier turns" in said) == (2, True)
    per_step = ("--set", "prompt.nesting=per_step")
    assert main(command(workdir, "--fresh", *one_step, "--set", "model.path=rewriting", *per_step)[3:]) == 0

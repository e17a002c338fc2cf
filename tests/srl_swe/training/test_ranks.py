"""One run on two ranks (CPU, gloo), as `accelerate launch` starts it: the same update as on one, and no silent half."""

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
import torch
from safetensors.torch import load_file

from srl_swe.cli import main
from tests.srl_swe.training.conftest import filled
from tests.srl_swe.training.values import make_values

RECIPES = Path(__file__).resolve().parents[3] / "examples" / "accelerate"
CUT = Path(__file__).with_name("cut_on_cpu.py")
TIMES = ("time", "episode/world_s")


def arguments(workdir: Path, out: str, *changes: str) -> list[str]:
    """The command's arguments; changes are KEY=VALUE."""
    sets = [part for change in changes for part in ("--set", change)]
    return ["train", str(workdir / "run.toml"), "--out", str(workdir / out), *sets]


def on_two_ranks(workdir: Path, out: str, *changes: str, recipe: str = "ddp") -> subprocess.Popen[str]:
    """The same command, started on two ranks."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(RECIPES / f"{recipe}.yaml")]
    script = ["-m", "srl_swe"] if recipe == "ddp" else [str(CUT)]
    command = [*launcher, "--main_process_port", "0", *script, *arguments(workdir, out, *changes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if recipe != "ddp":
        environment |= {"ACCELERATE_TORCH_DEVICE": "cpu", "DS_ACCELERATOR": "cpu"}
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
    )


def updates(stage: Path) -> dict[int, dict[str, float]]:
    """What each update of a stage logged, without times."""
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    return {
        line["step"]: {name: value for name, value in line.items() if not name.startswith(TIMES)}
        for line in lines
        if "grad_norm" in line
    }


def weights(checkpoint: Path) -> torch.Tensor:
    """All weights as one vector."""
    found = load_file(checkpoint / "model.safetensors")
    found.pop("lm_head.weight", None)  # tied to the embedding, and written twice by some
    return torch.cat([found[name].flatten() for name in sorted(found)])


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on one rank, `one`, from a model that knows the reply format, `start`."""
    folder = filled(tmp_path_factory.mktemp("ranks"))
    assert main(arguments(folder, "learned", 'stages=["sft"]', "data.heldout_steps=1")) == 0
    (folder / "learned/1-sft/checkpoint-100").rename(folder / "start")
    assert main(arguments(folder, "one", *FEW)) == 0
    return folder


FEW = (
    "model.path=start",
    "sft.max_steps=2",
    "sft.evaluate_every=2",
    "srl.max_steps=2",
    "tree.tokens_per_pass=64",  # shorter than the trees, which take two passes then
)


@pytest.mark.parametrize("recipe", ["ddp", "fsdp2", "zero3"])
def test_the_same_batches_give_the_same_updates_on_one_rank_and_on_two(work: Path, recipe: str) -> None:
    if recipe == "zero3":
        pytest.importorskip("deepspeed", reason="deepspeed is not installed")
    two = on_two_ranks(work, recipe, *FEW, recipe=recipe)
    _, said = two.communicate(timeout=500)
    assert two.returncode == 0, said
    for stage in ("1-sft", "2-srl"):
        alone, together = work / "one" / stage, work / recipe / stage
        assert {path.name for path in (together / "checkpoint-2").glob("rng_state*")} == {
            "rng_state_0.pth",
            "rng_state_1.pth",
        }
        found, expected = updates(together), updates(alone)
        assert found.keys() == expected.keys() == {1, 2}
        for step, values in expected.items():
            assert found[step] == pytest.approx(values, rel=1e-4, abs=1e-5)
        moved = (weights(alone / "checkpoint-2") - weights(work / "start")).norm()
        apart = (weights(together / "checkpoint-2") - weights(alone / "checkpoint-2")).norm()
        assert moved > 0
        assert apart < 1e-3 * moved
    summaries = [json.loads((work / out / "summary.json").read_text()) for out in ("one", recipe)]
    assert _figures(summaries[1]) == pytest.approx(_figures(summaries[0]), abs=1e-6)


def test_episodes_on_two_ranks_that_share_the_model_are_those_of_one(tmp_path: Path) -> None:
    folder = make_values(tmp_path)
    assert main(arguments(folder, "format", 'stages=["sft"]')) == 0
    model = json.loads((folder / "format/summary.json").read_text())["model"]
    changes = ('stages=["rlvr"]', f"model.path={model}", "rlvr.batch=3", "rlvr.max_steps=2")  # two groups and one
    assert main(arguments(folder, "one", *changes)) == 0
    two = on_two_ranks(folder, "two", *changes, recipe="fsdp2")
    _, said = two.communicate(timeout=500)
    assert two.returncode == 0, said
    expected, found = updates(folder / "one/1-rlvr"), updates(folder / "two/1-rlvr")
    assert found.keys() == expected.keys() == {1, 2}
    assert expected[1]["grad_norm"] > 0
    for step, values in expected.items():
        assert found[step] == pytest.approx(values, rel=1e-3, abs=1e-4)


def _figures(summary: Any) -> list[float]:
    return [stage["heldout"][name] for stage in summary["stages"] for name in ("reward", "greedy_reward", "steps")]


def test_a_lost_rank_ends_the_run_with_one_line_and_a_checkpoint_to_go_on_from(workdir: Path) -> None:
    changes = ('stages=["sft"]', "sft.max_steps=20", "sft.evaluate_every=5", "sft.keep_checkpoints=4")
    run = on_two_ranks(workdir, "out", *changes)
    while not (workdir / "out/1-sft/checkpoint-5/complete").exists():
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    os.kill(second_rank(run.pid), signal.SIGKILL)
    _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("srl-swe: rank 0 of 2")]
    assert lines, said
    assert "run the same command again" in lines[0]
    assert not (workdir / "out/summary.json").exists()
    assert main(arguments(workdir, "out", *changes)) == 0  # on one rank: how many there are may change
    assert main(arguments(workdir, "whole", *changes)) == 0
    found, expected = updates(workdir / "out/1-sft"), updates(workdir / "whole/1-sft")
    assert found.keys() == expected.keys() == set(range(1, 21))
    assert found[20]["loss"] == pytest.approx(expected[20]["loss"], rel=0.02)


def second_rank(launcher: int) -> int:
    """The process of rank 1 among those that a launcher started."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            status = (process / "status").read_text()
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if f"PPid:\t{launcher}\n" in status and b"RANK=1" in environment:
            return int(process.name)
    raise AssertionError("no second rank")

"""Whole episodes in sandboxes of this machine: learned from, begun at an expert's step, killed and taken up again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srl_swe.cli import main
from srl_swe_envs.trajectories import Observation, write_trajectories
from srl_swe_envs.workspaces.docker.engine import thread_client
from srl_swe_envs.workspaces.leases import LABEL_RUN
from tests.srl_swe.training.values import NAMES, make_values, trajectory


def arguments(workdir: Path, out: str, *changes: str) -> list[str]:
    sets = [part for change in changes for part in ("--set", change)]
    return ["train", str(workdir / "run.toml"), "--out", str(workdir / out), *sets]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def updates(stage: Path) -> list[dict[str, Any]]:
    return [line for line in lines(stage / "metrics.jsonl") if "reward/mean" in line]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks, their logs, and `model`, which has learned the format and some of the way."""
    folder = make_values(tmp_path_factory.mktemp("values"))
    assert main(arguments(folder, "format", 'stages=["sft"]')) == 0
    model = Path(json.loads((folder / "format/summary.json").read_text())["model"])
    (folder / "model").symlink_to(model)
    return folder


def play(workdir: Path, out: str, *changes: str) -> Path:
    assert main(arguments(workdir, out, 'stages=["rlvr"]', "model.path=model", *changes)) == 0
    return workdir / out / "1-rlvr"


def test_tests_reward_episodes_and_their_rewards_move_the_model(workdir: Path, capsys: Any) -> None:
    stage = play(workdir, "outcome")
    found = updates(stage)
    assert len(found) == 3
    mixed = [line for line in found if line["reward/std_in_group"] > 0]
    assert mixed
    assert all(line["grad_norm"] > 0 for line in mixed)
    assert all(line["policy/sampler_gap_max"] < 1e-3 for line in mixed)
    assert {"episode/resolved", "episode/truncated", "episode/own_tokens"} <= found[0].keys()
    assert found[0]["episode/own_tokens"] < found[0]["episode/tokens"]
    samples = [line for line in lines(stage / "samples.jsonl") if line["kind"] == "train"]
    assert {line["reward"] for line in samples} == {0.0, 1.0}
    assert all("sed -i s/2/1/" in line["reply"] for line in samples if line["reward"] == 1.0)
    assert {line["stop"] for line in samples} >= {"submitted"}
    assert json.loads((stage / "tasks.json").read_text())["tasks"] == [f"values-{name}" for name in NAMES]
    summary = json.loads((workdir / "outcome/summary.json").read_text())
    assert 0.0 <= summary["stages"][1]["heldout"]["resolved"] <= 1.0
    assert "resolved" in capsys.readouterr().out
    assert main(["audit", str(workdir / "outcome")]) == 0
    audit = json.loads((workdir / "outcome/audit.json").read_text())
    assert audit["episodes"]["1-rlvr train"]["episodes"] == len(samples)
    assert "1-rlvr heldout_episodes" in audit["episodes"]


def test_the_bridge_moves_back_with_success_and_drops_what_can_not_be_repeated(workdir: Path) -> None:
    first, *others = (trajectory(name) for name in NAMES)
    other_world = replace(first.turns[0], observation=Observation(text="never seen", exit_code=0))
    write_trajectories(workdir / "one_is_wrong.jsonl", [replace(first, turns=(other_world, first.turns[1])), *others])
    stage = play(
        workdir,
        "bridge",
        'data.train=["one_is_wrong.jsonl"]',
        "rlvr.start=expert",
        "rlvr.batch=3",
        "rlvr.max_steps=2",
        "rlvr.bridge.window=2",
        "rlvr.bridge.raise_at=0.01",
    )
    found = updates(stage)
    assert [line["bridge/dropped"] for line in found] == [1, 1]
    assert [line["bridge/turns"] for line in found] == [2, 3]
    assert found[0]["stop/unusable_start"] == pytest.approx(1 / 3)
    kept = json.loads((stage / "checkpoint-2/episodes.json").read_text())
    assert (kept["turns"], kept["dropped"]) == (3, [0])


def test_similarity_rewards_every_turn_in_the_models_own_history(workdir: Path) -> None:
    stage = play(workdir, "live", "rlvr.reward=similarity", "rlvr.max_steps=1")
    (found,) = updates(stage)
    assert found["grad_norm"] > 0
    samples = [line for line in lines(stage / "samples.jsonl") if line["kind"] == "train"]
    assert any(0 < line["reward"] < 1 for line in samples)
    assert all(line["similarity"] is not None for line in samples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('rlvr.tasks=""',), "rlvr.tasks: name the tasks"),
        (("prompt.history=last:2",), "an episode's history only grows"),
        (("data.train=[]", "rlvr.start=expert"), "data.train"),
        (("rlvr.tasks=demo:nothing",), "demo:nothing is not a demo set"),
        (("rlvr.tasks=demo:train", "rlvr.start=expert"), "no trajectory of data.train"),
        (('stages=["sft", "rlvr"]', 'rlvr.heldout_tasks=""'), "rlvr.heldout_tasks: name a set"),
        (("data.train=[]", "data.benchmark=benchmark.jsonl"), "rlvr.tasks: all of"),
        (("rlvr.bridge.first_turns=0",), "at least 1"),
        (("rlvr.backend=docker",), "run in the local sandbox alone"),
    ],
)
def test_wrong_input_is_one_line(workdir: Path, capsys: Any, change: tuple[str, ...], message: str) -> None:
    rows = [{"instance_id": f"values-{name}", "repo": "own/values", "problem_statement": "p"} for name in NAMES]
    (workdir / "benchmark.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    capsys.readouterr()
    assert main([*arguments(workdir, "wrong", 'stages=["rlvr"]', "model.path=model", *change), "--fresh"]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_template_that_rewrites_earlier_turns_is_refused_before_any_episode(workdir: Path, capsys: Any) -> None:
    model = workdir / "rewriting"
    shutil.copytree(workdir / "model", model)
    template = model / "chat_template.jinja"
    whole = "message.content + '<|im_end|>"
    assert whole in template.read_text()
    shown = "(message.content if loop.last or message.role != 'assistant' else 'gone') + '<|im_end|>"
    template.write_text(template.read_text().replace(whole, shown))
    capsys.readouterr()
    assert main(arguments(workdir, "refused", 'stages=["rlvr"]', "model.path=rewriting", "data.train=[]")) == 2
    assert "only appends" in capsys.readouterr().err


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, with a name short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="rlvr", dir="/tmp") as folder:
        yield Path(folder)


def background(workdir: Path, out: str, temporary: Path, *changes: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "srl_swe", *arguments(workdir, out, *changes)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_pipeline_killed_in_its_episodes_does_the_same_once_and_leaves_nothing(
    workdir: Path, temporary: Path
) -> None:
    changes = (
        'stages=["sft", "srl", "rlvr"]', "rlvr.start=expert", "rlvr.max_steps=4", "rlvr.evaluate_every=2",
        "rlvr.bridge.window=2",
    )  # fmt: skip
    assert background(workdir, "whole", temporary, *changes).wait() == 0
    process = background(workdir, "killed", temporary, *changes)
    begun = workdir / "killed/3-rlvr/checkpoint-2/complete"
    while not (begun.exists() and any(temporary.glob("srl-swe-*/*"))):  # in the middle of episodes
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (leases,) = temporary.glob("srl-swe-*")
    assert any(leases.iterdir())
    again = background(workdir, "killed", temporary, *changes)
    assert again.wait() == 0
    assert list(leases.iterdir()) == []
    assert list(temporary.iterdir()) == [leases]
    for stage in ("2-srl", "3-rlvr"):
        whole, killed = (updates(workdir / out / stage) for out in ("whole", "killed"))
        assert [line["step"] for line in killed] == [line["step"] for line in whole]
        for name in ("reward/mean", "grad_norm", "bridge/turns", "episode/tokens"):
            assert [line.get(name) for line in killed] == [line.get(name) for line in whole]
    names = [stage["name"] for stage in json.loads((workdir / "killed/summary.json").read_text())["stages"]]
    assert names == ["start", "sft", "srl", "rlvr"]


def containers(run: str) -> list[str]:
    """Ids of the containers that carry a run's name, whatever their state."""
    found = thread_client().api.containers(all=True, filters={"label": f"{LABEL_RUN}={run}"})
    return [container["Id"] for container in found]


@pytest.mark.docker
@pytest.mark.slow
def test_episodes_in_containers_killed_and_taken_up_again_leave_none(workdir: Path, temporary: Path) -> None:
    run = f"in-containers-{os.getpid()}"
    changes = (
        'stages=["rlvr"]', "model.path=model", "data.train=[]", "rlvr.tasks=demo:train", "rlvr.max_tasks=2",
        "rlvr.heldout_tasks=demo:heldout", "rlvr.backend=docker", "rlvr.max_steps=2", "rlvr.evaluate_every=1",
    )  # fmt: skip
    process = background(workdir, run, temporary, *changes)
    while not containers(run) or not (workdir / run / "1-rlvr/checkpoint-1/complete").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert background(workdir, run, temporary, *changes).wait() == 0
    assert containers(run) == []
    found = updates(workdir / run / "1-rlvr")
    assert [line["step"] for line in found] == [1, 2]
    assert all(line["episode/turns"] >= 1 and line["episode/infra"] == 0 for line in found)

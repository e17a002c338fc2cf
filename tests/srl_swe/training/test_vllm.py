"""Training with replies from a real vLLM server on CPU: weights arrive, and a server that dies ends the run.

`SRL_SWE_VLLM_PYTHON` names the interpreter of an environment that has vLLM (`make vllm`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import torch

from srl_swe.learning.models import load_model
from srl_swe.learning.rollout.sampling import DrawnReply, SamplingParams
from srl_swe.learning.rollout.vllm_client import Prompt, VllmClient
from srl_swe.learning.rollout.vllm_settings import VllmRollout
from srl_swe.learning.rollout.vllm_start import EngineNeeds, server_command
from srl_swe.serving.process import running_server
from srl_swe.training.folder import last_checkpoint
from tests.srl_swe.serving.test_process import gone
from tests.srl_swe.training.values import make_values

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

UPDATES = 3
SRL = ("stages=['srl']", "rollout.engine=vllm", f"srl.max_steps={UPDATES}", "srl.evaluate_every=1", "srl.replies=8")
SURE_TO_MOVE = ("srl.dynamic_sampling=false", "srl.expert_weight=0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that runs already, and the model that it was started from."""

    client: VllmClient
    start: Path


def train(workdir: Path, out: str, *changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command(workdir, out, *changes), capture_output=True, text=True, env=environment, check=False)


def command(workdir: Path, out: str, *changes: str) -> list[str]:
    settings = [part for change in changes for part in ("--set", change)]
    config = str(workdir / "run.toml")
    return [sys.executable, "-m", "srl_swe", "train", config, "--out", str(workdir / out), *settings]


@pytest.fixture(scope="module")
def started(shared_workdir: Path) -> tuple[Path, Path]:
    """A work folder and a model in it that speaks the format, with heads as wide as vLLM wants them."""
    done = train(shared_workdir, "sft", "stages=['sft']", "model.tiny.hidden=64")
    assert done.returncode == 0, done.stderr
    return shared_workdir, Path(json.loads((shared_workdir / "sft/summary.json").read_text())["model"])


@pytest.fixture(scope="module")
def served(vllm_python: str, started: tuple[Path, Path]) -> Iterator[Served]:
    """One server for weights by both routes."""
    workdir, start = started
    lora = ("--enable-lora", "--max-lora-rank", "8", "--max-loras", "2")
    needs = EngineNeeds(
        settings=VllmRollout(python=vllm_python, arguments=lora, cpu_cache_gib=1),
        model=str(start),
        folder=workdir,
        dtype="float32",
        lora_rank=0,
        max_tokens=1024,
        temperature=1.0,
        top_p=1.0,
    )
    started_by = server_command(needs, on_gpu=False)
    environment = {**started_by.environment, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    with running_server(replace(started_by, environment=environment)) as server:
        yield Served(client=VllmClient(url=server.url), start=start)


def greedy(client: VllmClient, model: str, prompt: tuple[int, ...]) -> DrawnReply:
    sampling = SamplingParams(max_new_tokens=12, greedy=True, stop_token_ids=(2,))
    return client.complete([Prompt(token_ids=prompt, seed=0)], replies=1, sampling=sampling, model=model)[0][0]


def logps(folder: Path, prompt: tuple[int, ...], reply: tuple[int, ...]) -> list[float]:
    """Log-probabilities of a reply by plain transformers."""
    model = load_model(str(folder), dtype="float32").model.eval()
    ids = torch.tensor([[*prompt, *reply]])
    with torch.no_grad():
        scores = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return scores.gather(-1, torch.tensor(reply)[:, None])[:, 0].tolist()


def served_is(client: VllmClient, name: str, now: Path, start: Path) -> None:
    """What is served are the weights of `now`, which are not those of `start`."""
    prompt = (1, 5, 17, 33, 60, 61, 62)
    said = greedy(client, name, prompt)
    assert list(said.logps) == pytest.approx(logps(now, prompt, said.token_ids), abs=1e-4)
    before = torch.tensor(logps(start, prompt, said.token_ids))
    assert (torch.tensor(said.logps) - before).abs().max() > 0.01


def gaps(out: Path) -> list[float]:
    """The largest distance between sampler's and trainer's log-probabilities at each update."""
    lines = [json.loads(line) for line in (out / "1-srl/metrics.jsonl").read_text().splitlines()]
    return [line["policy/sampler_gap_max"] for line in lines if "policy/sampler_gap_max" in line]


def test_replies_come_from_the_weights_that_each_update_left(served: Served, started: tuple[Path, Path]) -> None:
    workdir, start = started
    assert json.loads((start / "config.json").read_text())["tie_word_embeddings"]  # a head that vLLM would not renew
    done = train(workdir, "full", *SRL, *SURE_TO_MOVE, f"model.path={start}", f"rollout.vllm.url={served.client.url}")
    assert done.returncode == 0, done.stderr
    assert len(gaps(workdir / "full")) > 1  # also of replies after an update
    assert max(gaps(workdir / "full")) < 1e-3
    assert "warning" not in done.stderr
    served_is(served.client, "policy", workdir / f"full/1-srl/checkpoint-{UPDATES}", start)


def test_an_adapter_is_served_under_a_new_name_after_each_update(served: Served, started: tuple[Path, Path]) -> None:
    workdir, start = started
    served.client.call("/collective_rpc", {"method": "srl_swe_reload", "kwargs": {"folder": str(start)}}, reads=False)
    adapter = (
        "model.lora.rank=8",
        "srl.learning_rate=2e-3",
        f"model.path={start}",
        f"rollout.vllm.url={served.client.url}",
    )
    done = train(workdir, "lora", *SRL, *SURE_TO_MOVE, *adapter)
    assert done.returncode == 0, done.stderr
    assert len(gaps(workdir / "lora")) > 1
    assert max(gaps(workdir / "lora")) < 1e-3
    names = [model["id"] for model in served.client.call("/v1/models")["data"]]
    assert len(names) == 2  # the adapters before are gone
    assert names[1].endswith(f"-{UPDATES + 1}")  # the start's and one after each update
    served_is(served.client, names[1], workdir / f"lora/1-srl/checkpoint-{UPDATES}", start)


def test_episodes_come_from_the_served_weights_turn_by_turn(vllm_python: str, tmp_path: Path) -> None:
    workdir = make_values(tmp_path)
    own = ("rollout.engine=vllm", f"rollout.vllm.python={vllm_python}", "rollout.vllm.cpu_cache_gib=1")
    done = train(workdir, "episodes", *own, "model.tiny.hidden=64", "rlvr.episodes.max_tokens=1024")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (workdir / "episodes/2-rlvr/metrics.jsonl").read_text().splitlines()]
    found = [line for line in lines if "policy/sampler_gap_max" in line]  # updates whose groups differ
    assert len(found) > 1
    assert found[0]["grad_norm"] > 0  # so that later episodes are of other weights
    assert max(line["policy/sampler_gap_max"] for line in found) < 1e-3
    assert all(line["episode/turns"] > 1 for line in found)


def arguments_of(process: psutil.Process) -> list[str]:
    """A process's command line; empty when it has ended."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


def test_a_server_killed_in_the_middle_ends_the_run_with_a_whole_checkpoint(
    vllm_python: str, started: tuple[Path, Path]
) -> None:
    workdir, start = started
    own = (f"rollout.vllm.python={vllm_python}", "rollout.vllm.cpu_cache_gib=1", f"model.path={start}")
    process = subprocess.Popen(
        command(workdir, "killed", *SRL, *own, "srl.max_steps=5000", "srl.keep_checkpoints=2"),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (workdir / "killed/1-srl/checkpoint-2/complete").exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        server = next(one for one in family if arguments_of(one)[1:3] == ["-m", "vllm.entrypoints.openai.api_server"])
        server.send_signal(signal.SIGKILL)
        said = process.communicate(timeout=120)[1].strip().splitlines()
    finally:
        process.kill()
    assert process.returncode == 1
    assert "the vLLM server ended with status 137; its log: " in said[-1]
    assert gone([one.pid for one in family])
    checkpoint = last_checkpoint(workdir / "killed/1-srl")
    assert checkpoint is not None
    load_model(str(checkpoint), dtype="float32")
    steps = [json.loads(line)["step"] for line in (workdir / "killed/1-srl/metrics.jsonl").read_text().splitlines()]
    assert max(steps) <= int(checkpoint.name.removeprefix("checkpoint-")) + 1

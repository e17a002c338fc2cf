"""What of a configuration vLLM can't do is refused before anything starts; and what arrives are its weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from srl_swe.config import parse_config
from srl_swe.learning.models import load_model
from srl_swe.learning.rollout.gap import GapWarning
from srl_swe.learning.rollout.vllm_colocated import ColocatedEngine
from srl_swe.learning.rollout.vllm_settings import VllmRollout
from srl_swe.learning.rollout.vllm_start import EngineNeeds, server_command
from srl_swe.learning.rollout.vllm_sync import GatheredWeights, write_adapter, write_weights
from srl_swe.learning.settings import LoraSettings
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe.training.settings import RunSettings
from srl_swe_envs.errors import ConfigError

NEEDS: dict[str, Any] = {
    "settings": VllmRollout(python="/there/python"), "model": "m", "folder": Path("run/vllm"), "dtype": "float32",
    "lora_rank": 0, "max_tokens": 900, "temperature": 1.0, "top_p": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rollout": {"engine": "vllm", "temperature": 0.8, "top_p": 0.9}}, "leave one of"),
        ({"rollout": {"engine": "vllm", "vllm": {"sync": "lora"}}}, "needs an adapter"),
        ({"rollout": {"engine": "vllm", "vllm": {"sync": "reload"}}, "model": {"lora": {"rank": 8}}}, "all weights"),
        ({"rollout": {"engine": "vllm"}, "model": {"lora": {"rank": 600}}}, "rank 512 at most"),
        ({"rollout": {"vllm": {"url": "localhost:8000"}}}, "is not a server's address"),
        ({"rollout": {"vllm": {"url": "http://h:1", "python": "p"}}}, "is not started"),
        ({"rollout": {"vllm": {"mode": "colocated", "url": "http://h:1"}}}, "has no server"),
        ({"rollout": {"vllm": {"mode": "colocated", "sync": "nccl"}}}, "takes the weights as they are"),
        ({"rollout": {"engine": "decoder"}, "tree": {"enabled": False}}, "needs tree.enabled"),
    ],
)
def test_what_does_not_go_together_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(RunSettings, {"data": {"train": ["t.jsonl"]}, **changed})


def test_log_probabilities_are_asked_for_as_the_trainer_computes_them() -> None:
    def mode(temperature: float) -> str:
        command = server_command(EngineNeeds(**{**NEEDS, "temperature": temperature}), on_gpu=False).command
        return command[command.index("--logprobs-mode") + 1]

    assert (mode(1.0), mode(0.7)) == ("raw_logprobs", "processed_logprobs")


@pytest.mark.parametrize(
    ("rank", "on_gpu", "route"), [(0, False, "reload"), (0, True, "nccl"), (8, False, "lora"), (8, True, "lora")]
)
def test_weights_go_by_the_route_that_there_is(rank: int, on_gpu: bool, route: str) -> None:
    assert EngineNeeds(**{**NEEDS, "lora_rank": rank}).route(on_gpu=on_gpu) == route


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_colocated_engine_without_vllm_is_the_users_to_mend() -> None:
    with pytest.raises(ConfigError, match="needs vLLM in the trainer's own environment"):
        ColocatedEngine(EngineNeeds(**NEEDS))


@pytest.mark.parametrize("rank", [0, 4])
def test_written_weights_are_those_of_a_checkpoint(tmp_path: Path, rank: int) -> None:
    make_tiny_model(tmp_path / "model", ["some text"], TinyModel(vocabulary=300, hidden=32, layers=2, heads=2), seed=0)
    model = load_model(str(tmp_path / "model"), dtype="float32", lora=LoraSettings(rank=rank)).model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    if rank:
        write_adapter(model, tmp_path / "written")
    else:
        write_weights(GatheredWeights(model, Accelerator()), tmp_path / "written")
    model.save_pretrained(tmp_path / "checkpoint")
    written, expected = (load_file(next((tmp_path / name).glob("*.safetensors"))) for name in ("written", "checkpoint"))
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[name], expected[name]) for name in expected)
    assert (tmp_path / "written/adapter_config.json").exists() == bool(rank)


def test_a_gap_above_the_threshold_warns_once_until_it_was_below(capsys: pytest.CaptureFixture[str]) -> None:
    warning = GapWarning(0.05)
    for step, gap in enumerate([0.01, 0.2, 0.3, 0.01, 0.06]):
        state = SimpleNamespace(is_world_process_zero=True, global_step=step)
        warning.on_log(None, state, None, logs={"policy/sampler_gap": gap})
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" the sampler")[0] for line in said] == ["warning: at step 1", "warning: at step 4"]
    assert "0.2 off the trainer's" in said[0]

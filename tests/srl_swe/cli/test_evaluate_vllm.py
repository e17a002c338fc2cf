"""`srl-swe evaluate --policy vllm:DIR` against a real vLLM on CPU, from the environment of `SRL_SWE_VLLM_PYTHON`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srl_swe.cli import main
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe_envs.demo import load_demo_tasks

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


def test_a_server_answers_as_the_checkpoint_itself_does(
    vllm_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    model = tmp_path / "model"
    task = load_demo_tasks("held_out")[0]
    make_tiny_model(model, [task.problem] * 8, TinyModel(vocabulary=300, hidden=64, layers=2, heads=2), seed=0)
    served = ("--vllm-python", vllm_python, "--vllm-args", "--dtype float32 --enforce-eager --max-model-len 8192")
    found = []
    for name, more in (("checkpoint", ()), ("vllm", served)):
        out = tmp_path / name
        fixed = ["evaluate", "--tasks", "demo:heldout", "--ids", task.id, "--out", str(out), "--workspace", "local"]
        limits = ["--max-turns", "2", "--max-tokens", "24", "--no-selfcheck"]
        assert main([*fixed, *limits, "--policy", f"{name}:{model}", *more]) == 0
        found.append(json.loads((out / "report.json").read_text()))
    by_checkpoint, by_server = (report["results"][0] for report in found)
    for key in ("turns", "stop", "outcome", "prompt_tokens", "completion_tokens"):
        assert by_server[key] == by_checkpoint[key]

"""On a CUDA device: every back end's exactness, the decoder, and a whole run of `srl-swe train`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from srl_swe.cli import main
from srl_swe.learning.rollout.decoder import generate
from srl_swe.learning.rollout.sampling import SamplingParams
from srl_swe.learning.tree import Branch, LossConfig, Normaliser, Tree, logprobs, loss_backward, prepare
from srl_swe.learning.tree.attention import agrees, choose
from srl_swe_envs.errors import ConfigError
from tests.srl_swe.learning.tree.models import (
    gradients,
    make_model,
    make_tree,
    relative_difference,
    relative_norm,
    separate_loss,
    separate_rows,
    without_branches,
)
from tests.srl_swe.training.conftest import filled

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

DEVICE = torch.device("cuda")
LOSS = LossConfig(clip_low=0.2, clip_high=0.28, expert_weight=0.7)
WHOLE, SEGMENTED = 10_000, 33


def made(dtype: torch.dtype) -> nn.Module:
    return make_model("qwen3", dtype, head_dim=32).to(DEVICE).train()


def tree_of(**shape: int) -> Tree:
    return make_tree(suffix=5, spans=((1, 4), (50, 90)), **shape)


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [
        ("struct", torch.float32),
        ("struct", torch.bfloat16),
        ("flex", torch.float32),
        ("flex", torch.bfloat16),
        ("cascade", torch.bfloat16),
        ("cascade", torch.float16),
    ],
)
@pytest.mark.parametrize(("heads", "head_dim"), [((4, 2), 32), ((14, 2), 64), ((28, 4), 128)])
def test_backends_pass_their_self_test(backend: str, dtype: torch.dtype, heads: tuple[int, int], head_dim: int) -> None:
    assert agrees(backend, DEVICE, dtype, heads, head_dim)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flex_is_chosen(dtype: torch.dtype) -> None:
    assert choose(DEVICE, dtype, (4, 2), 32) == "flex"


def test_cascade_is_refused_for_types_without_a_kernel() -> None:
    model = made(torch.float32)
    prepare(model, backend="cascade")
    with pytest.raises(ConfigError, match=r"no kernel for torch.float32 of size 32 on cuda"):
        logprobs(model, [tree_of()], max_tokens=WHOLE)


@pytest.mark.parametrize("max_tokens", [WHOLE, SEGMENTED])
@pytest.mark.parametrize("backend", ["dense", "struct", "flex"])
def test_float32_equals_one_row_per_reply(backend: str, max_tokens: int) -> None:
    model, tree = made(torch.float32), tree_of()
    expected_loss = separate_loss(model, [tree], LOSS)
    expected_loss.backward()
    expected = gradients(model)
    with torch.no_grad():
        rows, _ = separate_rows(model, tree)
    prepare(model, backend=backend)
    found = logprobs(model, [tree], max_tokens=max_tokens)[0].branches
    assert max(float((a - b.cpu()).abs().max()) for a, b in zip(found, rows, strict=True)) <= 1e-5
    sums = loss_backward(model, [tree], loss=LOSS, normaliser=Normaliser.of([tree]), max_tokens=max_tokens)
    assert sums.loss == pytest.approx(float(expected_loss.detach()), rel=1e-5)
    assert relative_difference(gradients(model), expected) <= 1e-5


@pytest.mark.parametrize("max_tokens", [WHOLE, SEGMENTED])
@pytest.mark.parametrize("backend", ["struct", "flex", "cascade"])
def test_bfloat16_is_as_near_the_truth_as_one_row_per_reply(backend: str, max_tokens: int) -> None:
    tree = make_tree(trunk=150, ends=(20, 60, 61, 100, 150), group=4, sampler=False)
    truth = made(torch.float32)
    separate_loss(truth, [tree], LOSS).backward()
    expected = gradients(truth)
    model = made(torch.bfloat16)
    separate_loss(model, [tree], LOSS).backward()
    naive = relative_norm(gradients(model), expected)
    prepare(model, backend=backend)
    loss_backward(model, [tree], loss=LOSS, normaliser=Normaliser.of([tree]), max_tokens=max_tokens)
    assert relative_norm(gradients(model), expected) <= 1.25 * naive


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.3)])
def test_the_decoders_log_probabilities_are_the_trainers(dtype: torch.dtype, tolerance: float) -> None:
    model = made(dtype)
    prepare(model)
    tree = without_branches(tree_of())
    sampling = SamplingParams(max_new_tokens=14, temperature=0.8, stop_token_ids=tuple(range(6)), seed=3)
    (groups,) = generate(model, [tree], group_size=3, sampling=sampling)
    replies = [reply for group in groups for reply in group]
    branches = tuple(Branch(step=k, token_ids=r.token_ids) for k, group in enumerate(groups) for r in group)
    (scored,) = logprobs(model, [replace(tree, branches=branches)], max_tokens=64, temperature=0.8)
    for reply, logps in zip(replies, scored.branches, strict=True):
        assert reply.logps == pytest.approx(logps.tolist(), abs=tolerance)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run.toml`, and in `sft` what its first stage leaves."""
    workdir = filled(tmp_path_factory.mktemp("gpu"))
    run(workdir, "sft", 'stages=["sft"]', "model.tiny.hidden=64", 'model.precision="mixed"')
    return workdir


def run(workdir: Path, out: str, *changes: str) -> list[dict[str, Any]]:
    """Train on the device; gives the last stage's metrics."""
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    sets = [part for change in changes for part in ("--set", change)]
    assert main(["train", str(workdir / "run.toml"), "--out", str(workdir / out), *sets]) == 0
    assert torch.cuda.max_memory_allocated() > held
    (stage,) = (workdir / out).glob("1-*")
    return [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "changes",
    [
        ('model.precision="mixed"',),
        ('model.precision="bfloat16"', "model.gradient_checkpointing=true", "tree.tokens_per_pass=64"),
        ('model.precision="bfloat16"', "model.lora.rank=4"),
        ('model.precision="mixed"', "tree.enabled=false"),
    ],
    ids=["mixed", "checkpointed", "lora", "rows"],
)
def test_srl_trains_on_the_device(trained: Path, changes: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    model = json.loads((trained / "sft/summary.json").read_text())["model"]
    lines = run(trained, request.node.callspec.id, 'stages=["srl"]', f"model.path={json.dumps(model)}", *changes)
    updates = [line for line in lines if "reward/mean" in line]
    assert len(updates) == 6
    assert max(line["reward/mean"] for line in updates) > -1.0
    assert max(line["grad_norm"] for line in updates) > 0.0
    assert max(line.get("policy/sampler_gap", 0.0) for line in updates) < 0.05

"""Sampling beside training: the worker keeps trl's protocol, and trl's own trainer learns from it.

trl's attention is a CUDA kernel; here it is the same attention written out for the CPU.
"""

from __future__ import annotations

import json
import queue
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface
from trl.experimental.async_grpo import async_grpo_trainer

import srl_swe.training.asynchronous
from srl_swe.cli import main
from srl_swe.conversations import Conversation, Message, Target
from srl_swe.learning.batches import StepOrder
from srl_swe.learning.chat_tokens import ChatTokenizer, Trunk
from srl_swe.learning.models import load_model
from srl_swe.learning.rollout.beside import GroupSource, GroupWorker, PolicyCopy, WorkerError
from srl_swe.learning.rollout.decoded import DecoderSampler
from srl_swe.learning.settings import RolloutSettings, SrlSettings
from srl_swe.learning.tree.model import prepare
from srl_swe_envs.rewards.score import StepReward
from tests.srl_swe.training.conftest import filled


class ByLength:
    """Longer replies are better, so that any group teaches something; with `fails`, a scorer that breaks."""

    def __init__(self, *, flat: bool = False, fails: bool = False) -> None:
        self.flat = flat
        self.fails = fails

    def score(self, conversation: str, step: int, replies: Any, *, truncated: Any = ()) -> tuple[StepReward, ...]:
        if self.fails:
            raise RuntimeError("no scorer")
        return tuple(StepReward.scored(0.5 if self.flat else len(reply) / 1000) for reply in replies)

    def expert(self, conversation: str, step: int) -> str:
        return ""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that knows the reply format, `start`."""
    folder = filled(tmp_path_factory.mktemp("beside"))
    sets = ("--set", 'stages=["sft"]', "--set", "data.heldout_steps=1")
    assert main(["train", str(folder / "run.toml"), "--out", str(folder / "learned"), *sets]) == 0
    (folder / "learned/1-sft/checkpoint-100").rename(folder / "start")
    return folder


def worker_of(folder: Path, scorer: ByLength, **changes: Any) -> GroupWorker:
    """A worker over made-up conversations."""
    loaded = load_model(str(folder / "start"), dtype="float32")
    prepare(loaded.model)
    trunks = tuple(made_trunk(loaded.chat, number) for number in range(3))
    source = GroupSource(
        trunks=trunks,
        order=StepOrder(target_counts=tuple(len(trunk.targets) for trunk in trunks), cap=2, seed=0),
        sampler=DecoderSampler(chat=loaded.chat, settings=RolloutSettings(max_reply_tokens=8)),
        scorer=scorer,
        settings=SrlSettings(**{"batch": 4, "replies": 4, "steps_per_trunk": 2, "epsilon": 1e-6, **changes}),
        seed=0,
    )
    return GroupWorker(source, PolicyCopy(loaded.model), keep=lambda groups: None)


def made_trunk(chat: ChatTokenizer, number: int) -> Trunk:
    """Two steps to learn."""
    messages = [Message(role="user", content=f"task {number}")]
    for turn in range(2):
        messages += [Message(role="assistant", content=f"reply {turn}"), Message(role="user", content=f"seen {turn}")]
    targets = tuple(Target(message=2 * turn + 1, step=turn) for turn in range(2))
    return chat.trunk(Conversation(id=str(number), messages=tuple(messages), targets=targets))


def test_samples_are_whole_groups_as_trl_packs_them(work: Path) -> None:
    worker = worker_of(work, ByLength())
    worker.start()
    try:
        samples = [worker.rollout_buffer.get(timeout=120) for _ in range(16)]
        worker.check_health(60)
    finally:
        worker.stop()
    numbers = [sample.group_id for sample in samples]
    assert numbers == sorted(numbers)  # what shares a trunk comes together
    for sample in samples:
        assert len(sample.input_ids) == len(sample.completion_mask) == len(sample.old_log_probs)
        trained = sample.completion_mask.astype(bool)
        assert not trained[: trained.argmax()].any()
        assert trained[trained.argmax() :].all()
        assert (sample.old_log_probs[trained] < 0).all()
        assert sample.model_version == 0
    advantages = [sample.advantage for sample in samples[:4]]
    assert sum(advantages) == pytest.approx(0, abs=1e-6)
    assert sum(advantage**2 for advantage in advantages) == pytest.approx(4)
    assert "sampling/kept" in worker.metrics_queue.get_nowait()


def test_new_weights_wait_for_the_sampling_that_runs_and_reach_the_next(work: Path) -> None:
    worker = worker_of(work, ByLength())
    policy = worker.policy
    with policy.held() as model:
        names = [name for name, _ in model.named_parameters()]
    policy.pause()
    policy.send_weights((name, torch.zeros(())) for name in names)
    worker.update_model_version(1)
    worker.start()
    with pytest.raises(queue.Empty):
        worker.rollout_buffer.get(timeout=1)
    policy.resume()
    try:
        sample = worker.rollout_buffer.get(timeout=120)
    finally:
        worker.stop()
    assert sample.model_version == 1
    trained = sample.completion_mask.astype(bool)
    uniform = -torch.log(torch.tensor(float(policy.model.config.vocab_size))).item()
    assert sample.old_log_probs[trained].tolist() == pytest.approx([uniform] * int(trained.sum()), abs=1e-4)


@pytest.mark.parametrize(
    ("scorer", "said"), [(ByLength(fails=True), "no scorer"), (ByLength(flat=True), "no group passed the filter")]
)
def test_a_worker_that_can_not_go_on_says_why(work: Path, scorer: ByLength, said: str) -> None:
    worker = worker_of(work, scorer, patience=1)
    worker.start()
    with pytest.raises(WorkerError, match=said):
        watch(worker, seconds=120)
    worker.stop()


def watch(worker: GroupWorker, *, seconds: float) -> None:
    """Look after a worker as the trainer does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        worker.check_health(60)
        time.sleep(0.05)


def attention_on_cpu(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree_kv_index: Tensor,
    tree_cu_seqlens_q: Tensor,
    tree_cu_seqlens_k: Tensor,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """What trl's `tree_attention` computes: each segment sees its path from the root, its own tokens causally."""
    parts = []
    bounds = zip(tree_cu_seqlens_q.tolist(), tree_cu_seqlens_q.tolist()[1:], strict=False)
    paths = zip(tree_cu_seqlens_k.tolist(), tree_cu_seqlens_k.tolist()[1:], strict=False)
    for (begin, end), (first, last) in zip(bounds, paths, strict=True):
        path = tree_kv_index[first:last]
        seen = torch.ones(end - begin, last - first, dtype=torch.bool).tril(last - first - (end - begin))
        parts.append(
            scaled_dot_product_attention(
                query[:, :, begin:end], key[:, :, path], value[:, :, path], seen, scale=scaling, enable_gqa=True
            )
        )
    return torch.cat(parts, 2).transpose(1, 2), None


def register_on_cpu() -> None:
    """Stands for trl's `register_tree_attention`."""
    AttentionInterface.register(async_grpo_trainer.TREE_ATTENTION, attention_on_cpu)
    AttentionMaskInterface.register(async_grpo_trainer.TREE_ATTENTION, lambda **_: None)


def test_a_stage_trains_beside_its_sampling(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_grpo_trainer, "register_tree_attention", register_on_cpu)
    monkeypatch.setattr(async_grpo_trainer, "get_peak_flops_per_device", lambda *_: None)  # asks CUDA
    monkeypatch.setattr(srl_swe.training.asynchronous, "refuse_asynchronous", lambda *_, **__: None)
    sets = ("srl.asynchronous=true", 'stages=["srl"]', "model.path=start", "srl.max_steps=4", "srl.steps_per_trunk=2")
    command = ["train", str(work / "run.toml"), "--out", str(work / "out")]
    assert main([*command, *(part for one in sets for part in ("--set", one))]) == 0
    stage = work / "out/1-srl"
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    updates = [line for line in lines if "grad_norm" in line]
    assert [line["step"] for line in updates] == [1, 2, 3, 4]
    assert all(line["grad_norm"] > 0 for line in updates)
    assert sum(line.get("sampling/kept", 0.0) for line in updates) > 0
    assert max(line["sample/staleness_max"] for line in updates) <= 4
    assert any("eval_greedy_reward" in line for line in lines)
    assert (stage / "checkpoint-4/complete").exists()
    assert json.loads((work / "out/summary.json").read_text())["stages"][1]["name"] == "srl"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("srl.expert_weight=0.5",), "srl.expert_weight = 0"),
        (("srl.aggregation=per_token", "model.lora.rank=4"), "model.lora.rank = 0"),
        pytest.param(
            ("srl.aggregation=per_token",),
            "needs a CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device"),
        ),
    ],
)
def test_where_it_can_not_run_it_is_refused(work: Path, capsys: Any, change: tuple[str, ...], said: str) -> None:
    sets = ("srl.asynchronous=true", 'stages=["srl"]', "model.path=start", *change)
    command = ["train", str(work / "run.toml"), "--out", str(work / "refused")]
    assert main([*command, *(part for one in sets for part in ("--set", one))]) == 2
    assert said in capsys.readouterr().err
    assert not (work / "refused").exists()

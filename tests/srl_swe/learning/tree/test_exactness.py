"""Trees give what one row per reply gives: log-probabilities, losses and gradients, for every back end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from srl_swe.learning.flat import flat_loss_backward
from srl_swe.learning.tree import LossConfig, Normaliser, Tree, drop_still, logprobs, loss_backward, prepare
from tests.srl_swe.learning.tree.models import (
    KINDS,
    gradients,
    make_episodes,
    make_model,
    make_tree,
    relative_difference,
    relative_norm,
    separate_loss,
    separate_rows,
    wide_norms,
)

WHOLE, SEGMENTED, SHORTER_THAN_A_BRANCH = 10_000, 33, 7
LOSS = LossConfig(clip_low=0.2, clip_high=0.28, expert_weight=0.7)


@pytest.fixture(autouse=True)
def exact_norms() -> Iterator[None]:
    with wide_norms():
        yield


def largest_difference(model: nn.Module, tree: Tree, max_tokens: int) -> float:
    found = logprobs(model, [tree], max_tokens=max_tokens)[0]
    with torch.no_grad():
        branches, expert = separate_rows(model, tree)
    differences = [
        float((a - b)[~a.isnan()].abs().max()) for a, b in zip(found.branches, branches, strict=True) if len(a)
    ]
    kept = ~found.expert[1:].isnan()
    assert int(kept.sum()) == sum(end - begin for begin, end in tree.expert_spans)
    return max([*differences, float((found.expert[1:] - expert)[kept].abs().max()) if kept.any() else 0.0])


def gradient_difference(model: nn.Module, trees: list[Tree], max_tokens: int, loss: LossConfig = LOSS) -> float:
    expected_loss = separate_loss(model, trees, loss)
    expected_loss.backward()
    expected = gradients(model)
    sums = loss_backward(model, trees, loss=loss, normaliser=Normaliser.of(trees), max_tokens=max_tokens)
    assert sums.loss == pytest.approx(float(expected_loss.detach()), rel=1e-5, abs=1e-6)
    return relative_difference(gradients(model), expected)


@pytest.mark.parametrize("max_tokens", [WHOLE, SEGMENTED, SHORTER_THAN_A_BRANCH])
@pytest.mark.parametrize("backend", ["dense", "struct", "cascade"])
def test_every_backend_equals_one_row_per_reply_in_float64(backend: str, max_tokens: int) -> None:
    model = make_model("qwen3").train()
    prepare(model, backend=backend)
    tree = make_tree(suffix=5, spans=((1, 4), (50, 90)))
    assert largest_difference(model, tree, max_tokens) <= 1e-12
    assert gradient_difference(model, [tree], max_tokens) <= 1e-10


@pytest.mark.parametrize("max_tokens", [WHOLE, 80])
def test_flex_equals_one_row_per_reply_in_float64(max_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch refuses flex attention's backward on CPUs; its uncompiled form is exact there, and slow.
    monkeypatch.setattr("torch.nn.attention.flex_attention._validate_device", lambda *_: None)
    monkeypatch.setattr("torch.nn.attention.flex_attention._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    model = make_model("qwen3").train()
    prepare(model, backend="flex")
    tree = make_tree(suffix=5, trunk=140, ends=(20, 140))
    assert largest_difference(model, tree, max_tokens) <= 1e-12
    assert gradient_difference(model, [tree], max_tokens) <= 1e-10


@pytest.mark.parametrize("suffix", [0, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_every_model_equals_one_row_per_reply(kind: str, suffix: int) -> None:
    model = make_model(kind).train()
    prepare(model)
    tree = make_tree(suffix=suffix)
    for max_tokens in (SEGMENTED,):
        assert largest_difference(model, tree, max_tokens) <= 1e-12
        assert gradient_difference(model, [tree], max_tokens) <= 1e-10


@pytest.mark.parametrize("max_tokens", [WHOLE, SEGMENTED, SHORTER_THAN_A_BRANCH])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_lora_and_gradient_checkpointing_are_exact(checkpointing: bool, max_tokens: int) -> None:
    base = make_model("qwen2")
    model = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "v_proj", "o_proj", "up_proj"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(1))
    model = model.double().train()
    if checkpointing:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    prepare(model)
    tree = make_tree(suffix=2, spans=((30, 60),))
    assert largest_difference(model, tree, max_tokens) <= 1e-12
    assert gradient_difference(model, [tree], max_tokens) <= 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_of_all_parameters_is_exact(kind: str) -> None:
    model = make_model(kind).train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    prepare(model)
    for max_tokens in (WHOLE, SEGMENTED):
        assert gradient_difference(model, [make_tree(suffix=3)], max_tokens) <= 1e-10


@pytest.mark.parametrize("max_tokens", [WHOLE, SEGMENTED])
@pytest.mark.parametrize("backend", ["struct", "cascade"])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_exact_to_rounding(kind: str, backend: str, max_tokens: int) -> None:
    model = make_model(kind, torch.float32).train()
    prepare(model, backend=backend)
    tree = make_tree(suffix=2)
    assert largest_difference(model, tree, max_tokens) <= 1e-5
    assert gradient_difference(model, [tree], max_tokens) <= 1e-5


@pytest.mark.parametrize("aggregation", ["response", "token"])
def test_masked_tokens_are_neither_targets_nor_counted(aggregation: str) -> None:
    model = make_model("qwen3").train()
    prepare(model)
    tree = make_tree(masked=True, suffix=3)
    loss = replace(LOSS, aggregation=aggregation)
    for max_tokens in (WHOLE, SHORTER_THAN_A_BRANCH):
        assert largest_difference(model, tree, max_tokens) <= 1e-12
        assert gradient_difference(model, [tree], max_tokens, loss) <= 1e-10


@pytest.mark.parametrize("by_turn", [True, False])
@pytest.mark.parametrize("backend", ["dense", "struct", "cascade"])
def test_episodes_are_exact_with_one_advantage_or_one_per_turn(backend: str, by_turn: bool) -> None:
    model = make_model("qwen3").train()
    prepare(model, backend=backend)
    trees = [make_episodes(by_turn=by_turn, seed=seed) for seed in (1, 2)]
    for max_tokens in (WHOLE, SEGMENTED, SHORTER_THAN_A_BRANCH):
        for tree in trees:
            assert largest_difference(model, tree, max_tokens) <= 1e-12
        assert gradient_difference(model, trees, max_tokens) <= 1e-10


@pytest.mark.parametrize("by_turn", [True, False])
def test_episodes_as_rows_are_exact_too(by_turn: bool) -> None:
    model = make_model("qwen3").train()
    trees = [make_episodes(by_turn=by_turn, seed=seed) for seed in (1, 2)]
    separate_loss(model, trees, LOSS).backward()
    expected = gradients(model)
    for max_tokens in (WHOLE, SEGMENTED):
        flat_loss_backward(model, trees, loss=LOSS, normaliser=Normaliser.of(trees), max_tokens=max_tokens)
        assert relative_difference(gradients(model), expected) <= 1e-10


def test_many_trees_in_one_batch_are_exact_in_bins_and_spines() -> None:
    model = make_model("llama").train()
    prepare(model)
    trees = [make_tree(seed=seed, trunk=20 * seed, ends=(7, 20 * seed)) for seed in (1, 2, 3, 4)]
    for max_tokens in (WHOLE, 150, 40):
        assert gradient_difference(model, trees, max_tokens) <= 1e-10


def test_a_prompt_that_is_a_suffix_alone_needs_no_trunk() -> None:
    model = make_model("qwen2").train()
    prepare(model)
    tree = make_tree(trunk=30, ends=(0, 30), suffix=4)
    for max_tokens in (WHOLE, 25, SHORTER_THAN_A_BRANCH):
        assert largest_difference(model, tree, max_tokens) <= 1e-12
        assert gradient_difference(model, [tree], max_tokens) <= 1e-10


def test_sft_is_the_trunk_alone_in_bounded_segments() -> None:
    model = make_model("qwen3").train()
    prepare(model)
    tree = make_tree(ends=(), spans=((5, 30), (25, 40), (88, 90)))
    ids = torch.tensor(tree.trunk)[None]
    labels = torch.full_like(ids, -100)
    for begin, end in tree.expert_spans:
        labels[:, begin:end] = ids[:, begin:end]
    expected = model(input_ids=ids, labels=labels).loss
    expected.backward()
    reference = gradients(model)
    for max_tokens in (WHOLE, SEGMENTED, SHORTER_THAN_A_BRANCH):
        loss = LossConfig(expert_weight=1.0)
        sums = loss_backward(model, [tree], loss=loss, normaliser=Normaliser.of([tree]), max_tokens=max_tokens)
        assert sums.loss == pytest.approx(float(expected.detach()), rel=1e-6)  # transformers' loss is in float32
        assert sums.mean_expert_nll == pytest.approx(sums.loss, rel=1e-12)
        assert relative_difference(gradients(model), reference) <= 1e-6


def test_dropping_zero_advantages_changes_no_gradient() -> None:
    model = make_model("qwen3").train()
    prepare(model)
    tree = make_tree()
    still = tuple(replace(b, advantage=0.0) if b.step in (1, 3) else b for b in tree.branches)
    tree = replace(tree, branches=still)
    pruned = drop_still(tree)
    assert len(pruned.branches) < len(tree.branches)
    normaliser = Normaliser.of([tree])
    loss_backward(model, [tree], loss=LOSS, normaliser=normaliser, max_tokens=WHOLE)
    expected = gradients(model)
    loss_backward(model, [pruned], loss=LOSS, normaliser=normaliser, max_tokens=WHOLE)
    assert relative_difference(gradients(model), expected) <= 1e-10


def test_temperature_divides_the_logits() -> None:
    model = make_model("qwen3")
    prepare(model)
    tree = make_tree()
    found = logprobs(model, [tree], max_tokens=SEGMENTED, temperature=0.6)[0]
    with torch.no_grad():
        expected, _ = separate_rows(model, tree, temperature=0.6)
    assert max(float((a - b).abs().max()) for a, b in zip(found.branches, expected, strict=True)) <= 1e-12


def test_chunked_head_gives_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srl_swe.learning.tree.head.MAX_LOGIT_BYTES", 4 * 97 * 3)
    model = make_model("qwen3").train()
    prepare(model)
    assert gradient_difference(model, [make_tree()], WHOLE) <= 1e-10


def test_bfloat16_is_as_near_the_truth_as_one_row_per_reply() -> None:
    truth = make_model("qwen3", torch.float32).train()
    tree = make_tree(trunk=150, ends=(20, 60, 61, 100, 150), group=4, sampler=False)
    separate_loss(truth, [tree], LOSS).backward()
    expected = gradients(truth)
    model = make_model("qwen3", torch.bfloat16).train()
    separate_loss(model, [tree], LOSS).backward()
    naive = relative_norm(gradients(model), expected)
    for backend in ("struct", "cascade"):
        prepare(model, backend=backend)
        for max_tokens in (WHOLE, SEGMENTED):
            loss_backward(model, [tree], loss=LOSS, normaliser=Normaliser.of([tree]), max_tokens=max_tokens)
            assert relative_norm(gradients(model), expected) <= 1.25 * naive

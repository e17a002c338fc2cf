"""The attention name serves trees and plain forwards, chooses a back end by test, and refuses what would be wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM, Qwen3NextConfig, Qwen3NextForCausalLM

from srl_swe.learning.tree import LossConfig, Normaliser, logprobs, loss_backward, prepare
from srl_swe.learning.tree.attention import BACKENDS, agrees, choose
from srl_swe.learning.tree.backends.flex import block_mask
from srl_swe.learning.tree.backends.view import RowView
from srl_swe.learning.tree.layout import whole_row
from srl_swe.learning.tree.planner import Spine, plan
from srl_swe_envs.errors import ConfigError
from tests.srl_swe.learning.tree.models import make_model, make_tree, separate_rows, without_branches

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("backend", ["struct", "cascade"])
def test_backends_pass_their_self_test_on_cpus(backend: str, dtype: torch.dtype) -> None:
    assert agrees(backend, CPU, dtype, (6, 2), 16)


def test_a_wrong_backend_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "struct", lambda query, key, value, context, view, scaling: query * 1.0)
    assert not agrees("struct", CPU, torch.float32, (4, 2), 8)


def test_flex_is_not_chosen_where_torch_has_no_backward_for_it() -> None:
    assert not agrees("flex", CPU, torch.float32, (4, 2), 16)
    assert choose(CPU, torch.float32, (4, 2), 16) == "cascade"


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_self_test_is_the_same_whatever_mode_it_is_asked_in(mode: Callable[[], Any]) -> None:
    with mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert agrees("struct", CPU, torch.float32, (4, 2), 16)
        assert agrees("cascade", CPU, torch.float64, (4, 2), 16)


def test_the_backend_is_chosen_for_what_a_forward_meets_not_for_the_model_as_it_was_prepared() -> None:
    model = make_model("qwen3", torch.float32)
    prepare(model)
    model.double()
    before = choose.cache_info()
    logprobs(model, [make_tree(seed=3)], max_tokens=64)
    after = choose.cache_info()
    assert after.hits + after.misses > before.hits + before.misses
    assert choose(CPU, torch.float64, (4, 2), 8) == "cascade"
    assert choose.cache_info().misses == after.misses


def test_the_backend_may_be_chosen_within_a_checkpoint() -> None:
    model = make_model("qwen3", torch.float32).train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    prepare(model)
    choose.cache_clear()
    trees = [make_tree(seed=3)]
    loss_backward(model, trees, loss=LossConfig(), normaliser=Normaliser.of(trees), max_tokens=1000)
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("suffix", [0, 3])
def test_block_masks_hold_every_visible_pair_and_call_full_only_what_is_full(suffix: int) -> None:
    tree = make_tree(trunk=120, ends=(7, 64, 65, 120), suffix=suffix, longest=30)
    spine = plan([tree], max_tokens=70)[0]
    assert isinstance(spine, Spine)
    for row, begin in ((whole_row([(0, tree)]), 0), (spine.segments[1], spine.segments[1].positions[0])):
        view = RowView(row=row, begin=begin, device=CPU)
        made = block_mask(view, block=16)
        dense = torch.nn.functional.pad(view.mask(), (0, -view.mask().shape[1] % 16 + 16, 0, -len(row.token_ids) % 16))
        pairs = dense.reshape(dense.shape[0] // 16, 16, -1, 16).sum((1, 3))
        partial = listed(made.kv_num_blocks, made.kv_indices, pairs.shape)
        full = listed(made.full_kv_num_blocks, made.full_kv_indices, pairs.shape)
        assert not (partial & full).any()
        assert ((pairs > 0) <= (partial | full)).all()
        assert (pairs[full] == 256).all()
        assert full.sum() >= 0.5 * (pairs == 256).sum()


def listed(counts: torch.Tensor, indexes: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    found = torch.zeros(shape, dtype=torch.bool)
    for row, count in enumerate(counts[0, 0].tolist()):
        found[row, indexes[0, 0, row, :count].long()] = True
    return found


def test_a_prepared_model_still_generates_and_scores_as_before() -> None:
    model = make_model("qwen3")
    prompt = torch.arange(5, 25)[None]
    mask = torch.ones_like(prompt)
    before = (
        model(input_ids=prompt).logits,
        model.generate(prompt, attention_mask=mask, max_new_tokens=8, do_sample=False),
    )
    prepare(model)
    after = (
        model(input_ids=prompt).logits,
        model.generate(prompt, attention_mask=mask, max_new_tokens=8, do_sample=False),
    )
    torch.testing.assert_close(after[0], before[0])
    assert torch.equal(after[1], before[1])


def test_a_copy_of_a_prepared_model_uses_its_own_weights() -> None:
    model = make_model("qwen3")
    prepare(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model.model.norm.weight.mul_(3.0)
    prompt = torch.arange(5, 25)[None]
    assert not torch.allclose(model(input_ids=prompt).logits, twin(input_ids=prompt).logits)
    tree = make_tree()
    found = logprobs(twin, [tree], max_tokens=64)[0]
    with torch.no_grad():
        expected, _ = separate_rows(twin, tree)
    torch.testing.assert_close(found.branches[1], expected[1], rtol=1e-5, atol=1e-5)


def test_hybrid_models_are_refused_with_what_to_do() -> None:
    config = Qwen3NextConfig(
        vocab_size=97, hidden_size=32, intermediate_size=32, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"linear_attention.*tree.enabled = false"):
        prepare(Qwen3NextForCausalLM(config))


def test_a_sliding_window_shorter_than_the_tree_is_refused() -> None:
    config = MistralConfig(
        vocab_size=97, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=64,
    )  # fmt: skip
    model = MistralForCausalLM(config)
    prepare(model)
    with pytest.raises(ConfigError, match="sliding window of 64"):
        logprobs(model, [make_tree()], max_tokens=1000)
    logprobs(model, [make_tree(trunk=40, ends=(40,))], max_tokens=1000)


def test_reentrant_checkpointing_is_refused() -> None:
    model = make_model("qwen3").train()
    prepare(model)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    tree = make_tree()
    with pytest.raises(ConfigError, match="use_reentrant = false"):
        loss_backward(model, [tree], loss=LossConfig(), normaliser=Normaliser.of([tree]), max_tokens=33)


def test_an_unprepared_model_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="prepare"):
        logprobs(make_model("qwen3"), [make_tree()], max_tokens=64)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match="known: auto, dense, struct, cascade, flex"):
        prepare(make_model("qwen3"), backend="flash")


def test_a_tree_without_anything_to_score_gives_empty_results() -> None:
    model = make_model("qwen3")
    prepare(model)
    found = logprobs(model, [without_branches(make_tree())], max_tokens=64)[0]
    assert found.branches == ()
    assert found.expert.isnan().all()

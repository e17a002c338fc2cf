"""One row per reply gives the loss and gradients of the tree."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from srl_swe.learning.flat import flat_loss_backward
from srl_swe.learning.tree import Branch, LossConfig, Normaliser, Step, Tree, loss_backward, prepare

CONFIG = Qwen3Config(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
)


def tree() -> Tree:
    branches = (
        Branch(step=0, token_ids=(7,), advantage=1.0, sampler_logps=(-3.0,)),
        Branch(step=0, token_ids=(8, 9, 10), advantage=-0.5),
        Branch(step=1, token_ids=(11, 12, 13, 14), advantage=0.7, trained=(True, False, True, True)),
    )
    steps = (Step(prompt_end=5), Step(prompt_end=9, suffix=(3, 4)))
    return Tree(trunk=tuple(range(20, 32)), steps=steps, branches=branches, expert_spans=((5, 8), (10, 12)))


@pytest.mark.parametrize("max_tokens", [4, 16, 1000])
def test_flat_rows_and_the_tree_agree(max_tokens: int) -> None:
    loss = LossConfig(expert_weight=0.3, clip_high=0.28)
    found = []
    for add_gradients in (loss_backward, flat_loss_backward):
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(CONFIG)
        if add_gradients is loss_backward:
            prepare(model, backend="struct")
        normaliser = Normaliser.of([tree()])
        sums = add_gradients(model, [tree()], loss=loss, normaliser=normaliser, max_tokens=max_tokens, temperature=0.8)
        found.append((sums, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])))
    (tree_sums, tree_grads), (flat_sums, flat_grads) = found
    assert flat_sums.loss == pytest.approx(tree_sums.loss, abs=1e-5)
    assert flat_sums.mean_entropy == pytest.approx(tree_sums.mean_entropy, abs=1e-5)
    torch.testing.assert_close(flat_grads, tree_grads, atol=1e-6, rtol=1e-4)

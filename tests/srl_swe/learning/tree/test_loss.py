"""The loss is the paper's Eq. 1, term by term."""

from __future__ import annotations

import pytest
import torch

from srl_swe.learning.tree import Branch, LossConfig, LossSums, Normaliser, Step, Tree
from srl_swe.learning.tree.layout import whole_row
from srl_swe.learning.tree.loss import term_values, tree_loss


def loss_of(tree: Tree, logps: list[float], config: LossConfig) -> tuple[torch.Tensor, torch.Tensor, LossSums]:
    """Loss, gradient with respect to the log-probabilities, and sums."""
    row = whole_row([(0, tree)])
    leaves = torch.tensor(logps, dtype=torch.float64, requires_grad=True)
    values = term_values(row.terms, [tree], Normaliser.of([tree]), config, leaves)
    loss, sums = tree_loss(leaves, torch.full_like(leaves, 0.5), values, config)
    loss.backward()
    return loss.detach(), leaves.grad, sums


def tree_of(*branches: Branch) -> Tree:
    return Tree(trunk=(1, 2, 3), steps=(Step(prompt_end=3),), branches=branches)


@pytest.mark.parametrize(
    ("aggregation", "weights"), [("response", [0.5 / 1, 0.5 / 3, 0.5 / 3, 0.5 / 3]), ("token", [0.25] * 4)]
)
def test_on_policy_gradient_is_the_advantage_over_the_normaliser(aggregation: str, weights: list[float]) -> None:
    tree = tree_of(Branch(step=0, token_ids=(4,), advantage=2.0), Branch(step=0, token_ids=(5, 6, 7), advantage=-1.0))
    _, gradient, _ = loss_of(tree, [-1.0, -2.0, -3.0, -4.0], LossConfig(aggregation=aggregation))
    expected = [-2.0 * weights[0], *(weight for weight in weights[1:])]
    torch.testing.assert_close(gradient, torch.tensor(expected, dtype=torch.float64))


def test_ratios_outside_the_clips_stop_the_gradient_on_the_side_that_would_go_further() -> None:
    old = (-1.0,) * 4
    up = [-1.0 + shift for shift in (0.27, 0.21, -0.3, 0.0)]  # ratios 1.31, 1.23, 0.74, 1
    config = LossConfig(clip_low=0.2, clip_high=0.28, aggregation="token")
    gains = loss_of(tree_of(Branch(step=0, token_ids=(4, 5, 6, 7), advantage=1.0, sampler_logps=old)), up, config)
    losses = loss_of(tree_of(Branch(step=0, token_ids=(4, 5, 6, 7), advantage=-1.0, sampler_logps=old)), up, config)
    assert (gains[1] != 0).tolist() == [False, True, True, True]
    assert (losses[1] != 0).tolist() == [True, True, False, True]
    assert (gains[2].clipped_high, gains[2].clipped_low) == (1.0, 0.0)
    assert (losses[2].clipped_high, losses[2].clipped_low) == (0.0, 1.0)
    assert gains[2].largest_sampler_gap == pytest.approx(0.3)
    assert gains[2].mean_sampler_gap == pytest.approx((0.27 + 0.21 + 0.3) / 4)


def test_expert_term_is_the_mean_negative_log_likelihood() -> None:
    tree = Tree(trunk=(1, 2, 3, 4), expert_spans=((1, 3), (2, 4)))
    loss, gradient, sums = loss_of(tree, [-1.0, -2.0, -6.0], LossConfig(expert_weight=2.0))
    assert float(loss) == pytest.approx(2.0 * 3.0)
    torch.testing.assert_close(gradient, torch.full((3,), -2.0 / 3, dtype=torch.float64))
    assert (sums.expert_tokens, sums.mean_expert_nll, sums.tokens) == (3.0, 3.0, 0.0)


def test_sums_add_up_and_keep_the_largest_gap() -> None:
    added = LossSums(loss=1.0, tokens=2.0, entropy=3.0, largest_sampler_gap=0.1) + LossSums(
        loss=0.5, tokens=2.0, entropy=1.0, largest_sampler_gap=0.4
    )
    assert (added.loss, added.mean_entropy, added.largest_sampler_gap) == (1.5, 1.0, 0.4)


def test_normaliser_counts_trained_tokens_replies_and_each_expert_token_once() -> None:
    tree = Tree(
        trunk=(1, 2, 3, 4),
        steps=(Step(prompt_end=3),),
        branches=(
            Branch(step=0, token_ids=(4, 5), trained=(True, False)),
            Branch(step=0, token_ids=(4,), trained=(False,)),
        ),
        expert_spans=((1, 3), (2, 4)),
    )
    assert Normaliser.of([tree, tree]) == Normaliser(replies=2.0, tokens=2.0, expert_tokens=6.0)


def test_an_unknown_aggregation_is_refused() -> None:
    with pytest.raises(ValueError, match="'response' or 'token'"):
        LossConfig(aggregation="sequence")

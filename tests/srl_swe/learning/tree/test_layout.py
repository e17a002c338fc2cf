"""Rows show each token exactly its own reply's path, and score each target from the token before it."""

from __future__ import annotations

import pytest
import torch

from srl_swe.learning.tree import Branch, Step, Tree, cost, nest, separate, separate_cost
from srl_swe.learning.tree.layout import EXPERT, Row, sees, visibility, whole_row
from tests.srl_swe.learning.tree.models import make_tree


def seen_ids(row: Row, query: int) -> list[int]:
    """Token ids that a row's token sees, in order."""
    keys = torch.arange(len(row.token_ids))
    found = sees(visibility(row)[:, query, None], torch.tensor(query), keys)
    return [row.token_ids[key] for key in keys[found].tolist()]


@pytest.mark.parametrize("suffix", [0, 4])
def test_each_loss_term_reads_a_token_that_sees_its_whole_prefix_and_nothing_else(suffix: int) -> None:
    trees = [make_tree(suffix=suffix, spans=((3, 9),)), make_tree(seed=2, trunk=30, ends=(5, 30))]
    row = whole_row(list(enumerate(trees)))
    terms = row.terms
    counted = 0
    for source, target, tree, which, offset in zip(
        terms.sources, terms.targets, terms.trees, terms.branches, terms.offsets, strict=True
    ):
        if which == EXPERT:
            path = trees[tree].trunk
            place = offset
        else:
            branch = trees[tree].branches[which]
            path = trees[tree].prompt(branch.step) + branch.token_ids
            place = len(trees[tree].prompt(branch.step)) + offset
        assert seen_ids(row, source) == list(path[:place])
        assert target == path[place]
        assert row.positions[source] == place - 1
        counted += 1
    assert counted == sum(len(b.token_ids) for tree in trees for b in tree.branches) + 6


def test_counts_are_those_of_the_mask() -> None:
    tree = make_tree(suffix=3)
    row = whole_row([(0, tree)])
    ints = visibility(row)[:, :, None]
    here = torch.arange(len(row.token_ids))
    assert cost(tree).pairs == int(sees(ints, here[:, None], here[None]).sum())
    assert cost(tree).tokens == len(row.token_ids)
    assert separate_cost(tree).tokens > 3 * cost(tree).tokens


def test_last_tokens_of_replies_are_never_forwarded() -> None:
    tree = Tree(
        trunk=(1, 2, 3, 4, 5),
        steps=(Step(prompt_end=2), Step(prompt_end=4)),
        branches=(Branch(step=1, token_ids=(7,)), Branch(step=1, token_ids=(8, 9)), Branch(step=0, token_ids=())),
    )
    row = whole_row([(0, tree)])
    assert row.token_ids == (1, 2, 3, 4, 8)
    assert row.terms.sources == (3, 3, 4)


def test_tokens_after_the_last_trained_one_are_not_forwarded() -> None:
    branch = Branch(step=0, token_ids=(5, 6, 7, 8), trained=(True, False, True, False))
    row = whole_row([(0, Tree(trunk=(1, 2), steps=(Step(prompt_end=2),), branches=(branch,)))])
    assert row.token_ids == (1, 2, 5, 6)
    assert row.terms.targets == (5, 7)


def test_prompts_that_are_prefixes_nest_into_one_trunk() -> None:
    tree = nest([(1, 2), (1, 2, 3, 4, 5), (1, 2, 3, 9)])
    assert tree is not None
    assert tree.trunk == (1, 2, 3, 4, 5)
    assert [tree.prompt(step) for step in range(3)] == [(1, 2), (1, 2, 3, 4, 5), (1, 2, 3, 9)]
    assert tree.steps[2] == Step(prompt_end=3, suffix=(9,))


def test_prompts_that_rewrite_history_do_not_nest_and_are_kept_apart() -> None:
    prompts = [(1, 2, 3, 4, 5, 6, 7, 8), (9, 2, 3, 4, 5)]
    assert nest(prompts, max_suffix_tokens=3) is None
    assert [tree.prompt(0) for tree in separate(prompts)] == prompts


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": (Step(prompt_end=4),)},
        {"steps": (Step(prompt_end=0),)},
        {"branches": (Branch(step=0, token_ids=(1,)),)},
        {"expert_spans": ((0, 2),)},
        {"expert_spans": ((1, 4),)},
    ],
)
def test_trees_that_point_outside_themselves_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"trunk|step|span"):
        Tree(trunk=(1, 2, 3), **wrong)


def test_branches_with_uneven_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="sampler_logps has 1 entries for 2"):
        Branch(step=0, token_ids=(1, 2), sampler_logps=(0.0,))

"""Plans keep the budget, cover every loss term once, and share work evenly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from srl_swe.learning.tree import balance, cost, drop_still, runs
from srl_swe.learning.tree.layout import Row, whole_row
from srl_swe.learning.tree.planner import Pass, TreeCost, plan, turns
from tests.srl_swe.learning.tree.models import make_tree


def rows_of(item: Pass) -> list[Row]:
    if isinstance(item, Row):
        return [item]
    return [*item.segments, *item.leaves, *(row for child in item.children for row in rows_of(child))]


def terms_of(row: Row) -> list[tuple[int, ...]]:
    terms = row.terms
    return list(zip(terms.trees, terms.branches, terms.offsets, terms.targets, strict=True))


@settings(max_examples=30, deadline=None)
@given(
    max_tokens=st.integers(2, 200),
    suffix=st.integers(0, 3),
    masked=st.booleans(),
    seeds=st.lists(st.integers(0, 50), min_size=1, max_size=3),
)
def test_plans_keep_the_budget_and_cover_each_loss_term_once(
    max_tokens: int, suffix: int, masked: bool, seeds: list[int]
) -> None:
    trees = [make_tree(seed=seed, suffix=suffix, masked=masked, spans=((2, 50), (40, 60))) for seed in seeds]
    passes = plan(trees, max_tokens=max_tokens)
    rows = [row for item in passes for row in rows_of(item)]
    assert max(len(row.token_ids) for row in rows) <= max_tokens
    assert turns(passes).count(True) == len(rows)
    found = Counter(term for row in rows for term in terms_of(row))
    assert found == Counter(terms_of(whole_row(list(enumerate(trees)))))
    assert set(found.values()) == {1}


def test_small_trees_share_a_row() -> None:
    trees = [make_tree(seed=seed, trunk=20, ends=(5, 20), longest=5) for seed in range(6)]
    sizes = [cost(tree).tokens for tree in trees]
    passes = plan(trees, max_tokens=2 * max(sizes))
    assert len(passes) == 3
    assert sum(len(item.token_ids) for item in passes if isinstance(item, Row)) == sum(sizes)


def test_nothing_to_train_is_nothing_to_forward() -> None:
    tree = drop_still(make_tree(), epsilon=100.0)
    assert plan([tree], max_tokens=64) == ()


def test_runs_hold_every_step_once_and_no_more_than_the_cap() -> None:
    cut = runs((25, 3, 0, 8), cap=8, seed=5)
    assert sorted((run.trajectory, step) for run in cut for step in run.steps) == [
        (trajectory, step) for trajectory, count in enumerate((25, 3, 0, 8)) for step in range(count)
    ]
    assert max(len(run.steps) for run in cut) == 8
    assert cut == runs((25, 3, 0, 8), cap=8, seed=5)
    assert cut != runs((25, 3, 0, 8), cap=8, seed=6)


def test_ranks_get_like_loads_and_whole_trees() -> None:
    costs = [TreeCost(tokens=size, pairs=size * size // 2) for size in (100, 90, 60, 50, 40, 30, 20, 10)]
    shares = balance(costs, 2)
    assert sorted(index for share in shares for index in share) == list(range(8))
    loads = [sum(costs[index].units(pairs_per_token=20_000) for index in share) for share in shares]
    assert max(loads) - min(loads) <= 20


def test_long_trees_weigh_more_than_their_tokens() -> None:
    long, short = TreeCost(tokens=100_000, pairs=5 * 10**9), TreeCost(tokens=100_000, pairs=10**8)
    assert balance([long, short, short], 2) == ((0,), (1, 2))

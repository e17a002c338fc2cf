"""Intervals against published quantiles and against what they promise."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.intervals import bootstrap_estimate, mean_estimate, rank_correlation, t_quantile


@pytest.mark.parametrize(
    ("freedom", "published"),
    [(1, 12.706), (4, 2.776), (10, 2.228), (11, 2.201), (15, 2.131), (30, 2.042), (120, 1.980)],
)
def test_quantiles_of_students_t_are_the_published_ones(freedom: int, published: float) -> None:
    assert t_quantile(freedom) == pytest.approx(published, abs=5e-4)


def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(2000):
        found = mean_estimate([draw.gauss(3.0, 2.0) for _ in range(5)])
        held += found.low <= 3.0 <= found.high
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval_and_json_has_no_nan() -> None:
    assert mean_estimate([2.0]).record() == {"value": 2.0, "low": None, "high": None, "count": 1}
    assert mean_estimate([]).record()["value"] is None


def test_rank_correlation_is_spearmans() -> None:
    assert rank_correlation([1, 2, 3, 9], [10, 20, 25, 26]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    # with ties: Pearson's correlation of the mean ranks (1.5 1.5 3 4) and (1 2.5 2.5 4)
    assert rank_correlation([0, 0, 1, 2], [0, 1, 1, 5]) == pytest.approx(0.8333, abs=1e-4)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=30))
def test_rank_correlation_does_not_change_under_rising_maps(pairs: list[tuple[int, int]]) -> None:
    left, right = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    plain, mapped = rank_correlation(left, right), rank_correlation([math.exp(a) for a in left], [b**3 for b in right])
    assert plain == pytest.approx(mapped, nan_ok=True)


def test_the_bootstrap_holds_a_correlation_and_gives_none_where_all_items_are_alike() -> None:
    draw = random.Random(1)
    left = [draw.random() for _ in range(60)]
    right = [value + 0.1 * draw.random() for value in left]
    found = bootstrap_estimate(60, lambda items: rank_correlation([left[i] for i in items], [right[i] for i in items]))
    assert 0.8 < found.low < found.value < found.high <= 1.0
    assert found == bootstrap_estimate(
        60, lambda items: rank_correlation([left[i] for i in items], [right[i] for i in items])
    )
    alike = bootstrap_estimate(9, lambda items: rank_correlation([1.0 for _ in items], [left[i] for i in items]))
    assert math.isnan(alike.value)
    assert math.isnan(alike.low)

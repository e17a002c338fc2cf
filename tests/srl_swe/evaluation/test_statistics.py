"""Numbers against their definitions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.evaluation.statistics import bounds, mean_pass_at_k, pass_at_k, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(successes: int, trials: int, low: float, high: float):
    found = wilson_interval(successes, trials)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_interval_holds_the_share_and_stays_in_the_unit_interval(successes: int, trials: int):
    successes = min(successes, trials)
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_correct_sample(samples: int, data: st.DataObject):
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    subsets = list(itertools.combinations([index < correct for index in range(samples)], k))
    assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_does_not_overflow():
    assert pass_at_k(100_000, 1, 50_000) == pytest.approx(0.5)
    assert math.isfinite(pass_at_k(1_000_000, 10, 999_000))


def test_pass_at_k_of_more_samples_than_there_are_is_refused_not_guessed():
    with pytest.raises(ValueError, match="pass@3 of 1 correct among 2"):
        pass_at_k(2, 1, 3)
    assert mean_pass_at_k([(2, 1)], 3) is None


def test_what_was_not_graded_widens_the_bounds_to_both_sides():
    assert bounds(3, 8, 2) == (0.3, 0.5)

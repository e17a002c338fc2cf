"""Numbers out of bounds are refused where they are read, with what was expected."""

from __future__ import annotations

import argparse
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.bounds import Bounds, Count, NotNegative, PositiveShare, option

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(low=st.integers(-5, 5), value=NUMBERS)
def test_bounds_hold_their_own_low_end_unless_it_is_above_and_no_infinity(low: int, value: float) -> None:
    assert Bounds(low).holds(low)
    assert not Bounds(low, above=True).holds(low)
    assert Bounds(low).holds(value) == (math.isfinite(value) and value >= low)
    assert Bounds(low, low + 1).holds(value) == (low <= value <= low + 1)


@pytest.mark.parametrize(
    ("kind", "text", "value"), [(Count, "1", 1), (NotNegative, "0", 0.0), (PositiveShare, "1", 1.0)]
)
def test_an_option_takes_what_its_type_does(kind: object, text: str, value: float) -> None:
    parsed = option(kind)(text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Count, "0", "at least 1 is expected, not 0"),
        (Count, "1.5", "a whole number is expected, not '1.5'"),
        (NotNegative, "nan", "at least 0 is expected, not nan"),
        (NotNegative, "x", "a number is expected, not 'x'"),
        (PositiveShare, "0", "above 0 and at most 1 is expected, not 0"),
        (PositiveShare, "2", "above 0 and at most 1 is expected, not 2"),
    ],
)
def test_an_option_says_what_it_expects(kind: object, text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        option(kind)(text)

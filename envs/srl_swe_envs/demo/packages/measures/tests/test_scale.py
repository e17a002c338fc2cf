import pytest

from measures import human_size, round_to
from measures.scale import clamp, percentages


def test_human_size_of_bytes():
    assert human_size(0) == "0 B"
    assert human_size(999) == "999 B"


def test_human_size_with_prefixes():
    assert human_size(1000) == "1.0 kB"
    assert human_size(12_345) == "12 kB"
    assert human_size(7_200_000) == "7.2 MB"
    assert human_size(10_000) == "10 kB"


def test_human_size_with_another_base():
    assert human_size(2048, base=1024) == "2.0 kB"
    assert human_size(1023, base=1024) == "1023 B"


def test_human_size_ends_at_the_last_prefix():
    assert human_size(5_000_000_000_000_000) == "5000 TB"


def test_human_size_refuses_negative_counts():
    with pytest.raises(ValueError, match="negative"):
        human_size(-1)


def test_round_to_takes_the_nearest():
    assert round_to(12, 5) == 10
    assert round_to(13, 5) == 15
    assert round_to(25, 10) == 30
    assert round_to(-3, 5) == -5


def test_round_to_needs_a_step():
    with pytest.raises(ValueError, match="positive"):
        round_to(3, 0)


def test_clamp_moves_into_the_limits():
    assert clamp(5, 1, 3) == 3
    assert clamp(0, 1, 3) == 1
    assert clamp(2, 1, 3) == 2


def test_clamp_refuses_swapped_limits():
    with pytest.raises(ValueError, match="swapped"):
        clamp(1, 3, 2)
    assert clamp(1, 3, 3) == 3


def test_percentages_sum_to_hundred():
    assert percentages([1, 1, 1]) == [34, 33, 33]
    assert percentages([1, 2, 4]) == [14, 29, 57]
    assert percentages([5, 5]) == [50, 50]


def test_percentages_of_nothing():
    assert percentages([0, 0]) == [0, 0]

import pytest

from spans import Interval


def test_length_counts_integers():
    assert Interval(2, 5).length() == 3
    assert Interval(4, 4).length() == 0


def test_start_after_stop_is_refused():
    with pytest.raises(ValueError, match="after stop"):
        Interval(3, 2)


def test_contains_is_half_open():
    assert Interval(2, 5).contains(2)
    assert Interval(2, 5).contains(4)
    assert not Interval(2, 5).contains(5)
    assert not Interval(2, 5).contains(1)


def test_overlaps_needs_a_common_integer():
    assert Interval(1, 4).overlaps(Interval(3, 6))
    assert not Interval(1, 3).overlaps(Interval(3, 6))
    assert Interval(0, 9).overlaps(Interval(4, 5))


def test_touches_includes_neighbours():
    assert Interval(1, 3).touches(Interval(3, 6))
    assert Interval(3, 6).touches(Interval(1, 3))
    assert not Interval(1, 3).touches(Interval(4, 6))
    assert not Interval(4, 6).touches(Interval(1, 3))


def test_intersect_gives_the_common_part():
    assert Interval(1, 5).intersect(Interval(3, 8)) == Interval(3, 5)
    assert Interval(3, 8).intersect(Interval(1, 5)) == Interval(3, 5)


def test_intersect_of_neighbours_is_none():
    assert Interval(1, 3).intersect(Interval(3, 6)) is None


def test_shift_moves_both_ends():
    assert Interval(1, 3).shift(4) == Interval(5, 7)
    assert Interval(1, 3).shift(-1) == Interval(0, 2)


def test_split_meets_at_the_point():
    assert Interval(1, 6).split(2) == (Interval(1, 2), Interval(2, 6))


def test_split_refuses_the_ends():
    with pytest.raises(ValueError, match="not inside"):
        Interval(1, 6).split(1)
    with pytest.raises(ValueError, match="not inside"):
        Interval(1, 6).split(6)


def test_intervals_sort_by_start():
    assert sorted([Interval(3, 4), Interval(1, 9)]) == [Interval(1, 9), Interval(3, 4)]

from spans import Interval, SpanSet, merge


def test_merge_joins_overlaps():
    assert merge([Interval(4, 8), Interval(1, 5)]) == [Interval(1, 8)]


def test_merge_joins_neighbours():
    assert merge([Interval(1, 3), Interval(3, 5)]) == [Interval(1, 5)]


def test_merge_keeps_separate_parts():
    assert merge([Interval(5, 6), Interval(1, 3)]) == [Interval(1, 3), Interval(5, 6)]


def test_merge_keeps_the_longer_stop():
    assert merge([Interval(1, 9), Interval(2, 4)]) == [Interval(1, 9)]


def test_merge_drops_empty_intervals():
    assert merge([Interval(2, 2), Interval(4, 5)]) == [Interval(4, 5)]


def test_pairs_are_sorted():
    assert SpanSet([(7, 9), (1, 2)]).pairs() == [(1, 2), (7, 9)]


def test_size_sums_the_parts():
    assert SpanSet([(1, 4), (3, 6), (10, 11)]).size() == 6
    assert SpanSet().size() == 0


def test_contains_finds_every_part():
    spans = SpanSet([(0, 2), (4, 6), (8, 10), (12, 14)])
    assert [value for value in range(-1, 15) if spans.contains(value)] == [0, 1, 4, 5, 8, 9, 12, 13]


def test_empty_set_contains_nothing():
    assert not SpanSet().contains(0)


def test_add_merges():
    spans = SpanSet([(1, 3), (6, 8)])
    spans.add(3, 6)
    assert spans.pairs() == [(1, 8)]


def test_remove_cuts_a_hole():
    spans = SpanSet([(0, 10)])
    spans.remove(3, 5)
    assert spans.pairs() == [(0, 3), (5, 10)]


def test_remove_takes_whole_parts():
    spans = SpanSet([(0, 2), (4, 6), (8, 9)])
    spans.remove(4, 6)
    assert spans.pairs() == [(0, 2), (8, 9)]


def test_remove_trims_both_sides():
    spans = SpanSet([(0, 4), (6, 9)])
    spans.remove(2, 7)
    assert spans.pairs() == [(0, 2), (7, 9)]


def test_gaps_lie_between_parts():
    assert SpanSet([(0, 2), (4, 6), (9, 10)]).gaps() == [(2, 4), (6, 9)]
    assert SpanSet([(0, 2)]).gaps() == []

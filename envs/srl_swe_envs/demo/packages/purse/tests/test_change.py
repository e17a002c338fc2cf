import pytest

from purse import change_for, count_ways
from purse.change import fewest_coins


def test_change_uses_large_coins_first():
    assert change_for(388) == {200: 1, 100: 1, 50: 1, 20: 1, 10: 1, 5: 1, 2: 1, 1: 1}
    assert change_for(40) == {20: 2}


def test_change_of_nothing():
    assert change_for(0) == {}


def test_change_sorts_the_coins():
    assert change_for(7, (1, 5)) == {5: 1, 1: 2}


def test_change_refuses_negative_amounts():
    with pytest.raises(ValueError, match="negative"):
        change_for(-1)


def test_change_must_come_out_even():
    with pytest.raises(ValueError, match="1 left over"):
        change_for(11, (5, 2))


def test_fewest_coins_beats_the_greedy_way():
    assert fewest_coins(6, (1, 3, 4)) == 2
    assert fewest_coins(388) == 8


def test_fewest_coins_of_nothing():
    assert fewest_coins(0) == 0


def test_fewest_coins_may_be_impossible():
    assert fewest_coins(3, (2, 4)) is None
    assert fewest_coins(7, (3, 5)) is None
    assert fewest_coins(8, (3, 5)) == 2


def test_count_ways_of_small_amounts():
    assert count_ways(4) == 3
    assert count_ways(10) == 11
    assert count_ways(200) == 73682


def test_count_ways_of_nothing():
    assert count_ways(0) == 1
    assert count_ways(3, (2,)) == 0

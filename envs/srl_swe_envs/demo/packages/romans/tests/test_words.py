import pytest

from romans import ordinal, to_words
from romans.words import below_hundred, below_thousand


def test_below_hundred_has_own_words():
    assert below_hundred(0) == "zero"
    assert below_hundred(13) == "thirteen"
    assert below_hundred(19) == "nineteen"


def test_below_hundred_joins_tens_and_ones():
    assert below_hundred(20) == "twenty"
    assert below_hundred(42) == "forty-two"
    assert below_hundred(99) == "ninety-nine"


def test_below_thousand_says_and():
    assert below_thousand(101) == "one hundred and one"
    assert below_thousand(300) == "three hundred"
    assert below_thousand(75) == "seventy-five"


def test_to_words_of_thousands():
    assert to_words(1000) == "one thousand"
    assert to_words(21_000) == "twenty-one thousand"
    assert to_words(5_300) == "five thousand three hundred"


def test_to_words_says_and_before_small_rests():
    assert to_words(2_007) == "two thousand and seven"
    assert to_words(2_100) == "two thousand one hundred"
    assert to_words(2_099) == "two thousand and ninety-nine"


def test_to_words_of_small_numbers():
    assert to_words(0) == "zero"
    assert to_words(999) == "nine hundred and ninety-nine"


def test_to_words_of_negative_numbers():
    assert to_words(-12) == "minus twelve"


def test_to_words_refuses_a_million():
    with pytest.raises(ValueError, match="too large"):
        to_words(1_000_000)
    with pytest.raises(ValueError, match="too large"):
        to_words(-1_000_000)


def test_to_words_accepts_six_digits():
    assert to_words(999_999) == "nine hundred and ninety-nine thousand nine hundred and ninety-nine"


def test_ordinal_endings():
    assert [ordinal(number) for number in (1, 2, 3, 4, 10)] == ["1st", "2nd", "3rd", "4th", "10th"]
    assert [ordinal(number) for number in (21, 32, 43)] == ["21st", "32nd", "43rd"]


def test_ordinal_of_the_teens():
    assert [ordinal(number) for number in (11, 12, 13, 14)] == ["11th", "12th", "13th", "14th"]
    assert [ordinal(number) for number in (111, 113)] == ["111th", "113th"]


def test_ordinal_of_zero_and_below():
    assert ordinal(0) == "0th"
    with pytest.raises(ValueError, match="negative"):
        ordinal(-1)

import pytest

from romans import from_roman, is_roman, to_roman
from romans.numerals import add


def test_to_roman_of_small_numbers():
    assert to_roman(1) == "I"
    assert to_roman(4) == "IV"
    assert to_roman(9) == "IX"
    assert to_roman(14) == "XIV"


def test_to_roman_of_large_numbers():
    assert to_roman(1994) == "MCMXCIV"
    assert to_roman(2448) == "MMCDXLVIII"
    assert to_roman(3999) == "MMMCMXCIX"


def test_to_roman_of_fives():
    assert to_roman(555) == "DLV"
    assert to_roman(166) == "CLXVI"


def test_to_roman_refuses_zero_and_too_large():
    with pytest.raises(ValueError, match="1..3999"):
        to_roman(0)
    with pytest.raises(ValueError, match="1..3999"):
        to_roman(4000)


def test_from_roman_adds_letters():
    assert from_roman("VIII") == 8
    assert from_roman("MDCLXVI") == 1666


def test_from_roman_subtracts_smaller_letters():
    assert from_roman("XCIX") == 99
    assert from_roman("CDXLIV") == 444


def test_from_roman_reads_the_largest():
    assert from_roman("MMMCMXCIX") == 3999


def test_from_roman_accepts_lower_case():
    assert from_roman(" xii ") == 12


def test_from_roman_refuses_nothing():
    with pytest.raises(ValueError, match="numeral is empty"):
        from_roman("  ")


def test_from_roman_refuses_other_letters():
    with pytest.raises(ValueError, match="no such letter: A"):
        from_roman("XA")


def test_from_roman_refuses_odd_forms():
    with pytest.raises(ValueError, match="not well-formed: IIII"):
        from_roman("IIII")
    with pytest.raises(ValueError, match="not well-formed: MMMM"):
        from_roman("MMMM")


def test_is_roman():
    assert is_roman("XLII") is True
    assert is_roman("IC") is False
    assert is_roman("hello") is False


def test_add_sums_numerals():
    assert add("XIV", "VI") == "XX"
    assert add("M", "I") == "MI"

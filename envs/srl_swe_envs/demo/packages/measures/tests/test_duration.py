import pytest

from measures import format_duration, parse_duration
from measures.duration import clock


def test_parse_duration_sums_units():
    assert parse_duration("1h30m") == 5400
    assert parse_duration("2d1s") == 172801
    assert parse_duration("45s") == 45


def test_parse_duration_refuses_other_text():
    with pytest.raises(ValueError, match="cannot read"):
        parse_duration("5x")
    with pytest.raises(ValueError, match="cannot read"):
        parse_duration("12")
    with pytest.raises(ValueError, match="cannot read"):
        parse_duration("")


def test_parse_duration_needs_digits():
    with pytest.raises(ValueError, match="cannot read 'h'"):
        parse_duration("h")


def test_parse_duration_refuses_wrong_order():
    with pytest.raises(ValueError, match="out of order"):
        parse_duration("5s1m")
    with pytest.raises(ValueError, match="out of order"):
        parse_duration("1m2m")


def test_format_duration_gives_two_parts():
    assert format_duration(5400) == "1h30m"
    assert format_duration(90061) == "1d1h"
    assert format_duration(61) == "1m1s"


def test_format_duration_gives_more_parts():
    assert format_duration(90061, parts=4) == "1d1h1m1s"
    assert format_duration(3661, parts=1) == "1h"


def test_format_duration_skips_zeros():
    assert format_duration(86405) == "1d5s"


def test_format_duration_of_zero_and_below():
    assert format_duration(0) == "0s"
    assert format_duration(-90) == "-1m30s"


def test_clock_of_minutes():
    assert clock(0) == "00:00"
    assert clock(754) == "12:34"
    assert clock(3599) == "59:59"


def test_clock_of_hours():
    assert clock(3600) == "1:00:00"
    assert clock(45296) == "12:34:56"

import pytest

from daycount import Day, days_in_month, is_leap_year
from daycount.calendar import parse_day


def test_leap_years():
    assert is_leap_year(2024)
    assert not is_leap_year(2023)
    assert not is_leap_year(1900)
    assert is_leap_year(2000)


def test_days_in_month():
    assert days_in_month(2023, 1) == 31
    assert days_in_month(2023, 4) == 30
    assert days_in_month(2023, 12) == 31


def test_days_in_february():
    assert days_in_month(2024, 2) == 29
    assert days_in_month(2023, 2) == 28


def test_days_in_month_refuses_other_months():
    with pytest.raises(ValueError, match="1..12"):
        days_in_month(2023, 0)
    with pytest.raises(ValueError, match="1..12"):
        days_in_month(2023, 13)


def test_impossible_days_are_refused():
    with pytest.raises(ValueError, match="no such day"):
        Day(2023, 2, 29)
    with pytest.raises(ValueError, match="no such day"):
        Day(2023, 5, 0)


def test_last_days_are_accepted():
    assert Day(2024, 2, 29).day == 29
    assert Day(2023, 12, 31).day == 31


def test_day_of_year():
    assert Day(2023, 1, 1).day_of_year() == 1
    assert Day(2023, 3, 1).day_of_year() == 60
    assert Day(2024, 12, 31).day_of_year() == 366


def test_ordinal_counts_from_year_one():
    assert Day(1, 1, 1).ordinal() == 1
    assert Day(2, 1, 1).ordinal() == 366
    assert Day(2000, 1, 1).ordinal() == 730120
    assert Day(2023, 6, 15).ordinal() == 738686


def test_weekday_names():
    assert Day(2024, 1, 1).weekday() == "Monday"
    assert Day(2023, 6, 18).weekday() == "Sunday"


def test_isoformat_pads():
    assert Day(987, 6, 5).isoformat() == "0987-06-05"


def test_next_day_in_a_month():
    assert Day(2023, 5, 30).next() == Day(2023, 5, 31)


def test_next_day_after_a_month():
    assert Day(2023, 4, 30).next() == Day(2023, 5, 1)
    assert Day(2024, 2, 28).next() == Day(2024, 2, 29)
    assert Day(2023, 11, 30).next() == Day(2023, 12, 1)


def test_next_day_after_a_year():
    assert Day(2023, 12, 31).next() == Day(2024, 1, 1)


def test_parse_day_reads_iso():
    assert parse_day("2023-06-05") == Day(2023, 6, 5)


def test_parse_day_refuses_other_forms():
    with pytest.raises(ValueError, match="expected YYYY-MM-DD"):
        parse_day("2023/06/05")
    with pytest.raises(ValueError, match="expected YYYY-MM-DD"):
        parse_day("2023-06-05-01")

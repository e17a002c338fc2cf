import pytest

from daycount import Day, add_months, age_in_years, business_days, easter
from daycount.periods import days_between, quarter


def test_days_between_counts_forward():
    assert days_between(Day(2023, 12, 30), Day(2024, 1, 2)) == 3
    assert days_between(Day(2024, 2, 28), Day(2024, 3, 1)) == 2


def test_days_between_counts_backward():
    assert days_between(Day(2023, 1, 2), Day(2023, 1, 1)) == -1


def test_add_months_in_a_year():
    assert add_months(Day(2023, 1, 15), 3) == Day(2023, 4, 15)


def test_add_months_over_a_year():
    assert add_months(Day(2023, 11, 5), 2) == Day(2024, 1, 5)
    assert add_months(Day(2023, 1, 5), 11) == Day(2023, 12, 5)


def test_add_months_backward():
    assert add_months(Day(2023, 1, 31), -2) == Day(2022, 11, 30)


def test_add_months_to_a_short_month():
    assert add_months(Day(2023, 1, 31), 1) == Day(2023, 2, 28)


def test_age_before_and_on_the_birthday():
    assert age_in_years(Day(2000, 6, 15), Day(2023, 6, 14)) == 22
    assert age_in_years(Day(2000, 6, 15), Day(2023, 6, 15)) == 23
    assert age_in_years(Day(2000, 6, 15), Day(2023, 7, 1)) == 23


def test_age_zero():
    assert age_in_years(Day(2000, 6, 15), Day(2000, 6, 15)) == 0


def test_age_refuses_the_future():
    with pytest.raises(ValueError, match="future"):
        age_in_years(Day(2000, 6, 15), Day(2000, 6, 14))


def test_business_days_of_a_week():
    assert business_days(Day(2024, 1, 1), Day(2024, 1, 7)) == 5


def test_business_days_include_both_ends():
    assert business_days(Day(2024, 1, 5), Day(2024, 1, 8)) == 2
    assert business_days(Day(2024, 1, 3), Day(2024, 1, 3)) == 1


def test_business_days_skip_holidays():
    assert business_days(Day(2024, 1, 1), Day(2024, 1, 7), (Day(2024, 1, 1), Day(2024, 1, 6))) == 4


def test_quarter_of_the_year():
    assert quarter(Day(2023, 1, 1)) == 1
    assert quarter(Day(2023, 3, 31)) == 1
    assert quarter(Day(2023, 4, 1)) == 2
    assert quarter(Day(2023, 12, 1)) == 4


def test_easter_sundays():
    assert easter(2023) == Day(2023, 4, 9)
    assert easter(2024) == Day(2024, 3, 31)


def test_easter_of_special_years():
    assert easter(1961) == Day(1961, 4, 2)
    assert easter(1954) == Day(1954, 4, 18)
    assert easter(2000) == Day(2000, 4, 23)
    assert easter(2285) == Day(2285, 3, 22)

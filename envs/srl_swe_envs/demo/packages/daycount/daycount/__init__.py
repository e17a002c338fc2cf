"""Calendar arithmetic without the datetime module."""

from daycount.calendar import Day, days_in_month, is_leap_year
from daycount.periods import add_months, age_in_years, business_days, easter

__all__ = ["Day", "add_months", "age_in_years", "business_days", "days_in_month", "easter", "is_leap_year"]

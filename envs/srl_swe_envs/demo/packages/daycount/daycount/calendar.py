"""Days of the Gregorian calendar and their ordinals."""

from dataclasses import dataclass

MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def is_leap_year(year: int) -> bool:
    """Whether February has 29 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Length of a month."""
    if not 1 <= month <= 12:
        raise ValueError("month must be in 1..12")
    if month == 2 and is_leap_year(year):
        return 29
    return MONTH_LENGTHS[month - 1]


@dataclass(frozen=True, order=True)
class Day:
    """One day."""

    year: int
    month: int
    day: int

    def __post_init__(self) -> None:
        if not 1 <= self.day <= days_in_month(self.year, self.month):
            raise ValueError("no such day")

    def day_of_year(self) -> int:
        """1 for the first of January."""
        return sum(days_in_month(self.year, month) for month in range(1, self.month)) + self.day

    def ordinal(self) -> int:
        """Days since the first of January of the year 1, which is day 1."""
        before = self.year - 1
        leap_days = before // 4 - before // 100 + before // 400
        return before * 365 + leap_days + self.day_of_year()

    def weekday(self) -> str:
        """English name of the day of the week."""
        return WEEKDAYS[(self.ordinal() - 1) % 7]

    def isoformat(self) -> str:
        """The day as ``YYYY-MM-DD``."""
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"

    def next(self) -> "Day":
        """The following day."""
        if self.day < days_in_month(self.year, self.month):
            return Day(self.year, self.month, self.day + 1)
        if self.month == 12:
            return Day(self.year + 1, 1, 1)
        return Day(self.year, self.month + 1, 1)


def parse_day(text: str) -> Day:
    """Read ``YYYY-MM-DD``."""
    parts = text.split("-")
    if len(parts) != 3:
        raise ValueError("expected YYYY-MM-DD")
    return Day(int(parts[0]), int(parts[1]), int(parts[2]))

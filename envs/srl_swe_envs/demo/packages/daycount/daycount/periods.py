"""Spans of days, months and years."""

from daycount.calendar import Day, days_in_month


def days_between(first: Day, second: Day) -> int:
    """Days from ``first`` to ``second``, negative when it lies before."""
    return second.ordinal() - first.ordinal()


def add_months(start: Day, months: int) -> Day:
    """Same day some months on, or the last day of a shorter month."""
    total = start.year * 12 + (start.month - 1) + months
    year, month = total // 12, total % 12 + 1
    return Day(year, month, min(start.day, days_in_month(year, month)))


def age_in_years(born: Day, today: Day) -> int:
    """Full years lived; the birthday itself counts."""
    if today < born:
        raise ValueError("born in the future")
    years = today.year - born.year
    if (today.month, today.day) < (born.month, born.day):
        years -= 1
    return years


def business_days(first: Day, last: Day, holidays: tuple[Day, ...] = ()) -> int:
    """Days from Monday to Friday that are no holidays, both ends included."""
    count = 0
    day = first
    while day <= last:
        if day.weekday() not in ("Saturday", "Sunday") and day not in holidays:
            count += 1
        day = day.next()
    return count


def quarter(day: Day) -> int:
    """Quarter of the year, 1 to 4."""
    return (day.month - 1) // 3 + 1


def easter(year: int) -> Day:
    """Easter Sunday by the anonymous Gregorian algorithm."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, part = divmod(century, 4)
    shift = (century + 8) // 25
    moon = (century - shift + 1) // 3
    epact = (19 * golden + century - leap - moon + 15) % 30
    cycle, left = divmod(rest, 4)
    offset = (32 + 2 * part + 2 * cycle - epact - left) % 7
    correction = (golden + 11 * epact + 22 * offset) // 451
    month, day = divmod(epact + offset - 7 * correction + 114, 31)
    return Day(year, month, day + 1)

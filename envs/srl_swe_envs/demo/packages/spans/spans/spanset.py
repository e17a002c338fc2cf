"""Sets of integers stored as sorted, separate intervals."""

from collections.abc import Iterable

from spans.interval import Interval


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Sort the intervals and join those that overlap or touch; empty ones vanish."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if interval.length() == 0:
            continue
        if merged and merged[-1].touches(interval):
            last = merged[-1]
            merged[-1] = Interval(last.start, max(last.stop, interval.stop))
        else:
            merged.append(interval)
    return merged


class SpanSet:
    """A set of integers given by intervals."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self.parts = merge(Interval(start, stop) for start, stop in pairs)

    def pairs(self) -> list[tuple[int, int]]:
        """The parts as plain ``(start, stop)`` pairs."""
        return [(part.start, part.stop) for part in self.parts]

    def size(self) -> int:
        """How many integers are in the set."""
        return sum(part.length() for part in self.parts)

    def contains(self, value: int) -> bool:
        """Whether ``value`` is in the set, by binary search."""
        low, high = 0, len(self.parts)
        while low < high:
            middle = (low + high) // 2
            part = self.parts[middle]
            if part.contains(value):
                return True
            if value < part.start:
                high = middle
            else:
                low = middle + 1
        return False

    def add(self, start: int, stop: int) -> None:
        """Put ``[start, stop)`` into the set."""
        self.parts = merge([*self.parts, Interval(start, stop)])

    def remove(self, start: int, stop: int) -> None:
        """Take ``[start, stop)`` out of the set."""
        kept = []
        for part in self.parts:
            if part.start < start:
                kept.append(Interval(part.start, min(part.stop, start)))
            if part.stop > stop:
                kept.append(Interval(max(part.start, stop), part.stop))
        self.parts = kept

    def gaps(self) -> list[tuple[int, int]]:
        """The holes between the parts."""
        return [(left.stop, right.start) for left, right in zip(self.parts, self.parts[1:], strict=False)]

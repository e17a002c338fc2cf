"""One half-open interval ``[start, stop)``."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Interval:
    """The integers from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.start > self.stop:
            raise ValueError("start is after stop")

    def length(self) -> int:
        """How many integers the interval holds."""
        return self.stop - self.start

    def contains(self, value: int) -> bool:
        """Whether ``value`` lies in the interval."""
        return self.start <= value < self.stop

    def overlaps(self, other: "Interval") -> bool:
        """Whether both intervals share at least one integer."""
        return max(self.start, other.start) < min(self.stop, other.stop)

    def touches(self, other: "Interval") -> bool:
        """Whether the intervals overlap or stand side by side."""
        return self.start <= other.stop and other.start <= self.stop

    def intersect(self, other: "Interval") -> "Interval | None":
        """The common part, or None when there is none."""
        if not self.overlaps(other):
            return None
        return Interval(max(self.start, other.start), min(self.stop, other.stop))

    def shift(self, offset: int) -> "Interval":
        """The interval moved by ``offset``."""
        return Interval(self.start + offset, self.stop + offset)

    def split(self, at: int) -> "tuple[Interval, Interval]":
        """Two intervals that meet at ``at``, which must lie inside."""
        if not self.start < at < self.stop:
            raise ValueError("split point is not inside")
        return Interval(self.start, at), Interval(at, self.stop)

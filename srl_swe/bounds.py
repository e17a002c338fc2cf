"""Numbers that settings and options accept: types with bounds, checked where a file or a command line is read."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, get_args


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval of numbers; the ends belong to it, `low` not where `above` says so."""

    low: float
    high: float = math.inf
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies inside; NaN never does, nor does infinity."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high and math.isfinite(value)

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low}"
        return low if self.high == math.inf else f"{low} and at most {self.high}"


Count: TypeAlias = Annotated[int, Bounds(1)]
GroupSize: TypeAlias = Annotated[int, Bounds(2)]
"""Of replies that are compared with each other."""
CountOrNone: TypeAlias = Annotated[int, Bounds(0)]
"""A count whose 0 means none, or no limit."""
Seed: TypeAlias = Annotated[int, Bounds(0, 2**32 - 1)]
Port: TypeAlias = Annotated[int, Bounds(1, 65535)]
Positive: TypeAlias = Annotated[float, Bounds(0, above=True)]
NotNegative: TypeAlias = Annotated[float, Bounds(0)]
Share: TypeAlias = Annotated[float, Bounds(0, 1)]
PositiveShare: TypeAlias = Annotated[float, Bounds(0, 1, above=True)]


def option(kind: Any) -> Callable[[str], Any]:
    """argparse's `type` of an option whose value is of one of these types."""
    number, bounds = get_args(kind)

    def parsed(text: str) -> Any:
        try:
            value = number(text)
        except ValueError:
            expected = "a whole number" if number is int else "a number"
            raise argparse.ArgumentTypeError(f"{expected} is expected, not {text!r}") from None
        if not bounds.holds(value):
            raise argparse.ArgumentTypeError(f"{bounds} is expected, not {text}")
        return value

    return parsed

"""Lengths, weights and temperatures."""

from dataclasses import dataclass
from fractions import Fraction

UNITS = {
    "mm": ("length", Fraction(1, 1000)),
    "cm": ("length", Fraction(1, 100)),
    "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)),
    "g": ("weight", Fraction(1, 1000)),
    "kg": ("weight", Fraction(1)),
    "t": ("weight", Fraction(1000)),
}


class UnitError(ValueError):
    """Raised for units that are unknown or do not fit."""


def find_unit(name: str) -> tuple[str, Fraction]:
    """Kind and factor of a unit."""
    if name not in UNITS:
        raise UnitError(f"unknown unit {name}")
    return UNITS[name]


@dataclass(frozen=True)
class Quantity:
    """A number of units."""

    amount: Fraction
    unit: str

    def to(self, unit: str) -> "Quantity":
        """The same quantity in another unit of its kind."""
        kind, factor = find_unit(self.unit)
        other_kind, other_factor = find_unit(unit)
        if kind != other_kind:
            raise UnitError(f"{self.unit} is no {other_kind}")
        return Quantity(self.amount * factor / other_factor, unit)

    def add(self, other: "Quantity") -> "Quantity":
        """Sum in the unit of the first."""
        return Quantity(self.amount + other.to(self.unit).amount, self.unit)

    def compare(self, other: "Quantity") -> int:
        """-1, 0 or 1 for less, equal and more."""
        difference = self.amount - other.to(self.unit).amount
        if difference < 0:
            return -1
        return 1 if difference > 0 else 0

    def text(self) -> str:
        """The quantity with at most three decimals."""
        digits = f"{float(self.amount):.3f}".rstrip("0").rstrip(".")
        return f"{digits} {self.unit}"


def fahrenheit(celsius: Fraction) -> Fraction:
    """Degrees Fahrenheit of degrees Celsius."""
    return celsius * 9 / 5 + 32


def celsius(degrees: Fraction) -> Fraction:
    """Degrees Celsius of degrees Fahrenheit."""
    return (degrees - 32) * 5 / 9

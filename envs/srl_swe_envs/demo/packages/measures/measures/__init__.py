"""Quantities with units."""

from measures.duration import format_duration, parse_duration
from measures.quantity import Quantity, UnitError
from measures.scale import human_size, round_to

__all__ = ["Quantity", "UnitError", "format_duration", "human_size", "parse_duration", "round_to"]

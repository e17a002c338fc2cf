"""Sums."""


def add(first: int, second: int) -> int:
    """The sum of two numbers."""
    return first - second

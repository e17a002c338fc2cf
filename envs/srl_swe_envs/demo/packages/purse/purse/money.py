"""Amounts of one currency."""

from dataclasses import dataclass


class CurrencyError(ValueError):
    """Raised when two currencies meet."""


@dataclass(frozen=True)
class Money:
    """An amount in cents."""

    cents: int
    currency: str = "EUR"

    def check(self, other: "Money") -> None:
        """Refuse another currency."""
        if self.currency != other.currency:
            raise CurrencyError(f"{self.currency} and {other.currency}")

    def add(self, other: "Money") -> "Money":
        """Sum of two amounts."""
        self.check(other)
        return Money(self.cents + other.cents, self.currency)

    def subtract(self, other: "Money") -> "Money":
        """Difference of two amounts."""
        self.check(other)
        return Money(self.cents - other.cents, self.currency)

    def percent(self, rate: int) -> "Money":
        """A percentage, rounded half away from zero."""
        raw = abs(self.cents) * rate
        rounded = (raw + 50) // 100
        return Money(rounded if self.cents >= 0 else -rounded, self.currency)

    def with_tax(self, rate: int) -> "Money":
        """The amount plus a percentage of it."""
        return self.add(self.percent(rate))

    def share(self, weights: list[int]) -> "list[Money]":
        """Split by weights without losing a cent; the first shares get the rest."""
        if not weights or sum(weights) <= 0 or min(weights) < 0:
            raise ValueError("weights must be positive")
        total = sum(weights)
        shares = [self.cents * weight // total for weight in weights]
        rest = self.cents - sum(shares)
        for position in range(len(shares)):
            if rest == 0:
                break
            if weights[position] > 0:
                shares[position] += 1
                rest -= 1
        return [Money(share, self.currency) for share in shares]

    def format(self) -> str:
        """Text such as ``1,234.50 EUR``."""
        sign = "-" if self.cents < 0 else ""
        whole, rest = divmod(abs(self.cents), 100)
        return f"{sign}{whole:,}.{rest:02d} {self.currency}"


def parse_money(text: str) -> Money:
    """Read what ``format`` writes; the currency may be left out."""
    parts = text.split()
    if not 1 <= len(parts) <= 2:
        raise ValueError("expected an amount and a currency")
    number = parts[0].replace(",", "")
    sign = 1
    if number.startswith("-"):
        sign = -1
        number = number[1:]
    whole, _, rest = number.partition(".")
    if len(rest) > 2:
        raise ValueError("more than two decimals")
    cents = int(whole) * 100 + int(rest.ljust(2, "0"))
    if len(parts) == 2:
        return Money(sign * cents, parts[1])
    return Money(sign * cents)

"""Money in whole cents: arithmetic, fair shares and change."""

from purse.change import change_for, count_ways
from purse.money import CurrencyError, Money, parse_money

__all__ = ["CurrencyError", "Money", "change_for", "count_ways", "parse_money"]

"""Uncertainty of means and rank correlations from a few numbers, without scipy."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_Z = 1.959963984540054
_T = (12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119, 2.3646243, 2.3060041, 2.2621572, 2.2281389)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval; the bounds are NaN where the numbers do not give one."""

    value: float
    low: float
    high: float
    count: int
    """How many numbers it rests on."""

    def record(self) -> dict[str, float | int | None]:
        """The estimate as JSON, which has no NaN."""
        bounds = {"value": self.value, "low": self.low, "high": self.high}
        return {**{name: None if math.isnan(x) else x for name, x in bounds.items()}, "count": self.count}


def mean_estimate(values: Sequence[float]) -> Estimate:
    """The mean with Student's t interval: normal values, unknown deviation. NaN bounds below two values."""
    count = len(values)
    if not count:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, count=0)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(value=mean, low=math.nan, high=math.nan, count=count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = t_quantile(count - 1) * math.sqrt(variance / count)
    return Estimate(value=mean, low=mean - half, high=mean + half, count=count)


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; beyond the table by expansion (Abramowitz and Stegun 26.7.5), to 1e-5."""
    if freedom < 1:
        raise ValueError(f"{freedom} degrees of freedom")
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))


def bootstrap_estimate(
    count: int, statistic: Callable[[Sequence[int]], float], *, rounds: int = 2000, seed: int = 0
) -> Estimate:
    """A statistic of `count` items, given by their numbers, with its percentile bootstrap interval.

    Resamples in which the statistic is NaN (all items alike) are left out; NaN bounds when fewer than half remain.
    """
    value = statistic(range(count)) if count else math.nan
    chooser = random.Random(seed)
    found = []
    for _ in range(rounds if count > 1 else 0):
        drawn = statistic(chooser.choices(range(count), k=count))
        if not math.isnan(drawn):
            found.append(drawn)
    if 2 * len(found) < rounds or math.isnan(value):
        return Estimate(value=value, low=math.nan, high=math.nan, count=count)
    found.sort()
    low, high = found[int(0.025 * (len(found) - 1))], found[math.ceil(0.975 * (len(found) - 1))]
    return Estimate(value=value, low=low, high=high, count=count)


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN when either side is constant or too short."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} values")
    if len(left) < 2:
        return math.nan
    a, b = _ranks(left), _ranks(right)
    mean = (len(a) + 1) / 2
    spread = math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))
    return sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True)) / spread if spread else math.nan


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[start]]:
            for place in order[start:end]:
                ranks[place] = (start + 1 + end) / 2
            start = end
    return ranks

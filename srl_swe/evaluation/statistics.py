"""Numbers with their uncertainty: Wilson intervals and the unbiased pass@k."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wilson_interval(successes: float, trials: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """The Wilson score interval of a proportion, by default of 95 %; (0, 1) without a trial.

    Source: E. B. Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if trials <= 0:
        return 0.0, 1.0
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, middle - half) if successes else 0.0, min(1.0, middle + half) if successes < trials else 1.0


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The unbiased estimate that at least one of k samples is correct, from `correct` of `samples`.

    1 - C(n-c, k) / C(n, k); source: arXiv 2107.03374, equation 1. Raises ValueError when k > samples.
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {correct} correct among {samples}")
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / count for count in range(samples - correct + 1, samples + 1))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """Mean of `pass_at_k` over tasks given as (samples, correct); None when no task has k samples."""
    values = [pass_at_k(samples, correct, k) for samples, correct in counts if samples >= k]
    return math.fsum(values) / len(values) if values else None


def bounds(successes: int, graded: int, not_graded: int) -> tuple[float, float]:
    """Between which values the rate over all tasks lies, whatever the ones not graded would have given."""
    total = graded + not_graded
    return (successes / total, (successes + not_graded) / total) if total else (0.0, 1.0)

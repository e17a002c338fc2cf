"""A sweep's results: means over seeds with intervals, as JSON, as text and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..intervals import Estimate, mean_estimate

_COLUMNS = (
    ("reward", "reward"),
    ("greedy", "greedy_reward"),
    ("similarity", "similarity"),
    ("malformed", "malformed"),
    ("exact", "exact_match"),
    ("resolved", "resolved"),
)
NOTE = (
    "Held-out figures after the last stage: means over seeds with 95 % intervals of Student's t. The last column is "
    "the reward less the first row's, paired by seed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row's runs that are done."""

    name: str
    by_seed: Mapping[int, Mapping[str, float]]
    """Held-out figures of the last stage, by seed and name."""
    failed: int = 0

    def estimate(self, metric: str) -> Estimate:
        """Mean and interval over the seeds that have it."""
        return mean_estimate([figures[metric] for figures in self.by_seed.values() if metric in figures])

    def over(self, other: Row, metric: str = "reward") -> Estimate:
        """Mean and interval of the differences to another row's runs with the same seeds."""
        shared = [seed for seed in self.by_seed if seed in other.by_seed]
        pairs = [(self.by_seed[seed], other.by_seed[seed]) for seed in shared]
        return mean_estimate(
            [mine[metric] - theirs[metric] for mine, theirs in pairs if metric in mine and metric in theirs]
        )


def rows_record(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON, every figure with its interval."""
    return [
        {
            "row": row.name,
            "seeds": list(row.by_seed),
            "failed": row.failed,
            "heldout": {name: row.estimate(name).record() for name in _names(row)},
            "reward_over_first_row": row.over(rows[0]).record(),
        }
        for row in rows
    ]


def text_table(rows: Sequence[Row]) -> str:
    """Aligned text for a terminal."""
    lines = _lines(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown_table(rows: Sequence[Row]) -> str:
    """The same as a Markdown table with what its figures are."""
    head, *body = (" | ".join(line) for line in _lines(rows))
    rule = " | ".join(["---", *["---:"] * head.count("|")])
    return "\n".join([f"| {head} |", f"| {rule} |", *(f"| {line} |" for line in body), "", NOTE, ""])


def _lines(rows: Sequence[Row]) -> list[list[str]]:
    shown = [column for column in _COLUMNS if any(column[1] in _names(row) for row in rows)]
    lines = [["row", *(title for title, _ in shown), "seeds", "over first"]]
    for row in rows:
        seeds = f"{len(row.by_seed)}" + (f" ({row.failed} failed)" if row.failed else "")
        over = "" if row is rows[0] else _shown(row.over(rows[0]), sign=True)
        lines.append([row.name, *(_shown(row.estimate(name)) for _, name in shown), seeds, over])
    return lines


def _names(row: Row) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for figures in row.by_seed.values() for name in figures))


def _shown(estimate: Estimate, *, sign: bool = False) -> str:
    """`0.412 ± 0.031`; no interval where there is none, a dash where there is nothing."""
    if math.isnan(estimate.value):
        return "-"
    value = f"{estimate.value:+.3f}" if sign else f"{estimate.value:.3f}"
    half = estimate.high - estimate.value
    return value if math.isnan(half) else f"{value} ± {half:.3f}"

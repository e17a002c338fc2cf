"""The lint report as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .report import FormatReport, LintReport

_HEADER = ("format", "traj.", "contam.", "turns", "records", "resolved", "unresolved", "unknown", "median turns")
_SHOWN = 20
"""Problem files that are listed one by one; the JSON report has all."""


def report_table(report: LintReport) -> str:
    """One row per format, then what was dropped and why, then files that gave nothing."""
    rows = [_row(name, formatted) for name, formatted in sorted(report.formats.items())]
    total = report.total()
    lines = [*_aligned([_HEADER, *rows, _row("total", total)]), ""]
    lines += _counts("actions", total.actions)
    lines += _counts("records that are context", total.context)
    lines += _counts("records dropped", total.dropped)
    if total.unexplained:
        lines.append(f"unexplained records: {total.unexplained} (a reader is wrong; please report it)")
    if total.without_turns:
        lines.append(f"conversations without a single action: {total.without_turns}")
    if report.skipped:
        lines.append(f"files without agent steps: {len(report.skipped)}")
    if report.problems:
        lines.append(f"not read: {len(report.problems)}")
        lines += [f"  {problem}" for problem in report.problems[:_SHOWN]]
        if len(report.problems) > _SHOWN:
            lines.append(f"  ... and {len(report.problems) - _SHOWN} more, all in the JSON report")
    return "\n".join(lines)


def _row(name: str, report: FormatReport) -> tuple[str, ...]:
    outcomes = (report.outcomes[kind] for kind in ("resolved", "unresolved", "unknown"))
    numbers = (report.trajectories, report.contaminated, report.turns, report.records, *outcomes)
    median = report.turns_per_trajectory.quantiles().get("median", "")
    return (name, *map(str, numbers), str(median))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _counts(title: str, counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    return [f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common())]

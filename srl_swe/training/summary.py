"""The short table at the end of a run. `greedy` and `resolved` are of greedy replies, the others of sampled ones."""

from __future__ import annotations

from collections.abc import Sequence

from .stages import StageResult

_COLUMNS = (
    ("reward", "eval_reward", "{:.3f}"),
    ("greedy", "eval_greedy_reward", "{:.3f}"),
    ("similarity", "eval_similarity", "{:.3f}"),
    ("malformed", "eval_malformed", "{:.1%}"),
    ("exact", "eval_exact_match", "{:.1%}"),
    ("reply tokens", "eval_reply_tokens", "{:.0f}"),
    ("resolved", "eval_resolved", "{:.1%}"),
)


def summary_table(results: Sequence[StageResult]) -> str:
    """Held-out figures of the start and after each stage, as aligned text; what nobody measured is left out."""
    known = {key for result in results for key in (*result.before, *result.after)}
    columns = [column for column in _COLUMNS if column[1] in known]
    rows = [("held-out", *(name for name, _, _ in columns), "best step")]
    rows.append(_row("start", results[0].before, "", columns))
    rows += [
        _row(f"after {result.name}", after, str(result.best_step), columns)
        for result, after in zip(results, stage_figures(results), strict=True)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def stage_figures(results: Sequence[StageResult]) -> tuple[dict[str, float], ...]:
    """Held-out figures after each stage, with what the next stage measured of the same model before it began."""
    later = [*results[1:], None]
    return tuple(
        {**(following.before if following else {}), **result.after}
        for result, following in zip(results, later, strict=True)
    )


def _row(name: str, metrics: dict[str, float], step: str, columns: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    return (name, *(form.format(metrics[key]) if key in metrics else "-" for _, key, form in columns), step)

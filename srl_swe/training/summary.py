"""The short table at the end of a run. All columns but `greedy` are of replies sampled as in training."""

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
)


def summary_table(results: Sequence[StageResult]) -> str:
    """Held-out figures of the start and after each stage, as aligned text."""
    rows = [("held-out", *(name for name, _, _ in _COLUMNS), "best step")]
    rows.append(_row("start", results[0].before, ""))
    rows += [_row(f"after {result.name}", result.after, str(result.best_step)) for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _row(name: str, metrics: dict[str, float], step: str) -> tuple[str, ...]:
    return (name, *(form.format(metrics[key]) for _, key, form in _COLUMNS), step)

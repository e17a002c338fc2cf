"""The audit of a run as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .effects import effects_record
from .episodes import episodes_record
from .habits import copies_record, thoughts_record
from .outcomes import evaluations_of, outcome_record
from .samples import read_run
from .wrappers import wrappers_record


def audit(run: Path, *, evaluations: Sequence[Path] = (), base: Path | None = None) -> dict[str, Any]:
    """What `audit.json` holds. Raises ConfigError when the folder is no run's or has no samples."""
    read = read_run(run, base)
    swe = read.settings.data.domain == "swe"
    return {
        "samples": len(read.samples),
        "domain": read.settings.data.domain,
        "steps_unknown": read.missing,
        "outcome": outcome_record(read.data, evaluations or evaluations_of(run)),
        "effects": effects_record(read) if swe and read.steps else {},
        "wrapper": wrappers_record(read) if swe and read.steps else {},
        "thoughts": thoughts_record(read),
        "copies": copies_record(read) if read.steps else {},
        "episodes": episodes_record(read),
    }


def audit_text(found: Mapping[str, Any]) -> str:
    """The audit for a terminal."""
    episodes = sum(entry["episodes"] for entry in found["episodes"].values())
    lines = [f"{found['samples']} sampled replies" + (f", {episodes} episodes" if episodes else "")]
    if found["steps_unknown"]:
        lines.append(f"the run's data can't be read, so that only thoughts are audited: {found['steps_unknown']}")
    lines += [
        "",
        "similarity against outcome (rank correlation, 95 % interval over tasks)",
        *_outcome(found["outcome"]),
    ]
    if found["effects"]:
        lines += ["", *_effects(found["effects"])]
    if found["wrapper"]:
        lines += ["", "what tags would earn (mean similarity without and with the wrapper)"]
        lines += _table(
            ["expert's action", "unrelated", "with tags", "replies", "with tags"], _wrapper(found["wrapper"])
        )
    if found["thoughts"]:
        lines += ["", "thoughts, in characters (drift: rank correlation of length with training step)"]
        lines += _table(["stage", "replies", "first third", "last third", "drift", "empty", "hold the action"],
                        _thoughts(found["thoughts"]))  # fmt: skip
    if found["copies"]:
        lines += ["", "replies that repeat an earlier action, where the expert did not"]
        lines += _table(["stage", "replies", "first half", "second half", "experts repeat"], _copies(found["copies"]))
    if found["episodes"]:
        lines += ["", "episodes, in tokens (drift: rank correlation of length with training step)"]
        lines += _table(["stage", "episodes", "reward", "turns", "first third", "last third", "drift", "ends", "signs"],
                        _episodes(found["episodes"]))  # fmt: skip
    return "\n".join(lines)


def _outcome(found: Mapping[str, Any]) -> Iterator[str]:
    if "reason" in found:
        yield f"  none: {found['reason']}"
        return
    yield f"  {found['rollouts']} rollouts of {found['tasks']} tasks, {found['solved']:.1%} solved"
    yield f"  n-th action against the expert's n-th   {_estimate(found['in_place'])}"
    yield f"  closest action anywhere in the rollout  {_estimate(found['anywhere'])}"


def _effects(found: Mapping[str, Any]) -> Iterator[str]:
    share = f" ({found['another_effect'] / found['high']:.1%})" if found["high"] else ""
    yield f"{found['high']} replies with similarity 0.8 to below 1; {found['another_effect']}{share} do something else"
    for example in found["examples"]:
        action, expert = (" ".join(example[name].split())[:60] for name in ("action", "expert"))
        yield f"  {example['similarity']:.2f} {example['why']}: {action}  |  {expert}"


def _wrapper(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for kind, entry in found.items():
        cells = [_number(entry[who].get(how)) for who in ("unrelated", "replies") for how in ("plain", "wrapped")]
        yield [kind, *cells]


def _thoughts(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for stage, entry in found.items():
        chars = [_estimate(entry[name], "{:.0f}") for name in ("first_chars", "last_chars")]
        shares = [f"{entry[name]:.1%}" for name in ("empty", "hold_the_action")]
        yield [stage, str(entry["replies"]), *chars, _estimate(entry["drift"]), *shares]


def _copies(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, entry in found.items():
        shares = [entry[which] for which in ("first_half", "second_half", "expert")]
        yield [name, str(entry["replies"]), *("-" if share is None else f"{share:.1%}" for share in shares)]


def _episodes(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, entry in found.items():
        lengths = [_estimate(entry[which], "{:.0f}") for which in ("first_tokens", "last_tokens")]
        said = [
            ", ".join(f"{what} {share:.0%}" for what, share in entry[which].items()) or "-"
            for which in ("stops", "flags")
        ]
        figures = [str(entry["episodes"]), _number(entry["reward"]), f"{entry['turns']:.1f}"]
        yield [name, *figures, *lengths, _estimate(entry["drift"]), *said]


def _table(head: list[str], rows: Iterator[list[str]]) -> list[str]:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def _estimate(entry: Mapping[str, Any], form: str = "{:+.2f}") -> str:
    if entry["value"] is None:
        return "-"
    value = form.format(entry["value"])
    return value if entry["low"] is None else f"{value} [{form.format(entry['low'])}, {form.format(entry['high'])}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

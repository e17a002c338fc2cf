"""What an evaluation on mathematics found: accuracy per set with intervals, and the paper's average of columns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...intervals import Estimate, bootstrap_estimate
from ..statistics import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One attempt at a problem that was graded."""

    set: str
    problem: str
    sample: int
    """0 is the greedy attempt, 1 to k are sampled."""
    correct: bool
    stop: str
    tokens: int


def make_report(results: Sequence[Result], settings: Mapping[str, Any], timeouts: int) -> dict[str, Any]:
    """The report as JSON."""
    sets = {name: _set(results, name) for name in dict.fromkeys(result.set for result in results)}
    columns = [f"{name} {kind}" for name, entry in sets.items() for kind in entry["accuracy"]]
    return {
        "settings": dict(settings),
        "sets": sets,
        "average": _average(results).record(),
        "average_of": columns,
        "answers_timed_out": timeouts,
    }


def report_text(report: Mapping[str, Any]) -> str:
    """The report for a terminal, in per cent."""
    lines = [["set", "problems", "greedy", "avg@k", "no answer", "reply tokens"]]
    for name, entry in report["sets"].items():
        accuracy = entry["accuracy"]
        sampled = next((value for kind, value in accuracy.items() if kind != "greedy"), None)
        cells = [_percent(accuracy.get("greedy")), _percent(sampled)]
        lines.append([name, str(entry["problems"]), *cells, f"{entry['no_answer']:.1%}", f"{entry['tokens']:.0f}"])
    lines.append(["average", "", _percent(report["average"]), "", "", ""])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*rows, f"average: mean of {', '.join(report['average_of'])}; brackets are 95 % intervals"])


def _set(results: Sequence[Result], name: str) -> dict[str, Any]:
    mine = [result for result in results if result.set == name]
    greedy = [result for result in mine if result.sample == 0]
    accuracy: dict[str, Any] = {}
    if greedy:
        right = sum(result.correct for result in greedy)
        low, high = wilson_interval(right, len(greedy))
        accuracy["greedy"] = {"value": right / len(greedy), "low": low, "high": high, "count": len(greedy)}
    rates = _rates(mine)
    if rates:
        samples = max(result.sample for result in mine)
        accuracy[f"avg@{samples}"] = _mean(rates).record()
    stops = Counter(result.stop for result in mine)
    return {
        "problems": len({result.problem for result in mine}),
        "accuracy": accuracy,
        "stops": dict(stops),
        "no_answer": 1 - stops["answered"] / len(mine),
        "tokens": sum(result.tokens for result in mine) / len(mine),
    }


def _mean(rates: Sequence[float]) -> Estimate:
    """The mean of problems' rates. Where all are 0, or all are 1, resamples would give no width: Wilson's interval."""
    if set(rates) in ({0.0}, {1.0}):
        low, high = wilson_interval(sum(rates), len(rates))
        return Estimate(value=rates[0], low=low, high=high, count=len(rates))
    return bootstrap_estimate(len(rates), lambda places: math.fsum(rates[place] for place in places) / len(places))


def _rates(results: Sequence[Result]) -> list[float]:
    """Share of right samples, per problem."""
    by_problem: dict[str, list[bool]] = {}
    for result in results:
        if result.sample:
            by_problem.setdefault(result.problem, []).append(result.correct)
    return [sum(values) / len(values) for values in by_problem.values()]


def _average(results: Sequence[Result]) -> Estimate:
    """The plain mean of all columns, as the paper's tables have it; the interval resamples problems."""
    columns: dict[tuple[str, bool], dict[str, list[bool]]] = {}
    for result in results:
        column = columns.setdefault((result.set, result.sample > 0), {})
        column.setdefault(result.problem, []).append(result.correct)
    problems = sorted({(result.set, result.problem) for result in results})

    def mean(places: Sequence[int]) -> float:
        drawn = Counter(problems[place] for place in places)
        means = []
        for (name, _), column in columns.items():
            weights = [(drawn[name, problem], sum(values) / len(values)) for problem, values in column.items()]
            total = sum(weight for weight, _ in weights)
            if not total:
                return math.nan
            means.append(sum(weight * rate for weight, rate in weights) / total)
        return math.fsum(means) / len(means)

    return bootstrap_estimate(len(problems), mean, rounds=1000)


def _percent(entry: Mapping[str, Any] | None) -> str:
    if not entry:
        return "-"
    value = f"{100 * entry['value']:.1f}"
    return value if entry["low"] is None else f"{value} [{100 * entry['low']:.1f}, {100 * entry['high']:.1f}]"

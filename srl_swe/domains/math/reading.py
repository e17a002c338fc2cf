"""Solved problems from files: JSON Lines, or one JSON list, with the keys that public data sets use."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from srl_swe_envs.errors import ConfigError

from ...bounds import CountOrNone
from .answers import final_answer
from .segmenter import segment
from .solutions import Solution, SolutionStep, UnparsableSolution, numbered_steps

PROBLEM_KEYS = ("problem", "question")
SOLUTION_KEYS = ("deepseek_attempt", "solution")


@dataclass(frozen=True, slots=True, kw_only=True)
class MathReading:
    """How rows become solutions."""

    boundaries: Literal["numbered", "automatic", "either"] = "numbered"
    """`numbered`: `1. **Title** body`, others are dropped; `automatic`: the segmenter; `either`: it where there are no
    numbers. A row with a list `steps` has its boundaries given."""
    segment_chars: CountOrNone = 80
    """Shorter pieces of the segmenter join their neighbours."""
    problem_key: str = ""
    """Key of the problem; empty: `problem` or `question`."""
    solution_key: str = ""
    """Key of the solution; empty: `deepseek_attempt` (s1K-1.1's final solution) or `solution`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a file."""

    place: str
    """`file:line`, or `file:number` in a list."""
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A row that gives no solution."""

    place: str
    reason: str
    """`not_json`, `no_problem`, `no_solution`, `no_numbered_steps`, `broken_numbering`."""


Read: TypeAlias = Solution | Dropped


def read_solutions(places: Iterable[Path], reading: MathReading) -> Iterator[Read]:
    """Solutions of files, folders and globs, and what was dropped; raises ConfigError where there is no file."""
    for file in _files(places):
        for row in read_rows(file):
            yield row if isinstance(row, Dropped) else _solution(row, file, reading)


def read_rows(file: Path) -> Iterator[Row | Dropped]:
    """Objects of a JSON Lines file or of one JSON list; raises ConfigError when the file can't be read at all."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read: {error}") from error
    if text.lstrip().startswith("["):
        yield from _rows_of_list(file, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(f"{file}:{number}", line)


def problem_of(values: Mapping[str, Any], key: str = "") -> str:
    """The problem of a row; empty when it has none."""
    keys = (key,) if key else PROBLEM_KEYS
    return next((str(values[name]).strip() for name in keys if values.get(name)), "")


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            found = sorted(path for path in place.rglob("*") if path.suffix in (".json", ".jsonl"))
        else:
            found = [place] if place.exists() else [Path(path) for path in sorted(glob.glob(str(place)))]
        if not found:
            raise ConfigError(f"{place}: no such file, folder with .json or .jsonl files, or glob")
        yield from found


def _rows_of_list(file: Path, text: str) -> Iterator[Row | Dropped]:
    try:
        values = json.loads(text)
    except ValueError:
        yield Dropped(place=str(file), reason="not_json")
        return
    for number, value in enumerate(values, start=1):
        place = f"{file}:{number}"
        yield Row(place=place, values=value) if isinstance(value, dict) else Dropped(place=place, reason="not_json")


def _row(place: str, line: str) -> Row | Dropped:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return Row(place=place, values=value) if isinstance(value, dict) else Dropped(place=place, reason="not_json")


def _solution(row: Row, file: Path, reading: MathReading) -> Read:
    problem = problem_of(row.values, reading.problem_key)
    keys = (reading.solution_key,) if reading.solution_key else SOLUTION_KEYS
    text = next((str(row.values[key]).strip() for key in keys if row.values.get(key)), "")
    given = row.values.get("steps")
    if not problem:
        return Dropped(place=row.place, reason="no_problem")
    if not text and not given:
        return Dropped(place=row.place, reason="no_solution")
    try:
        answer = final_answer({**row.values, "solution": text})
    except ValueError:
        answer = ""
    identity = f"{file.stem}/{row.values.get('id', row.place.rpartition(':')[2])}"
    if isinstance(given, list) and given:
        steps = tuple(SolutionStep(text=str(step).strip()) for step in given)
        return Solution(id=identity, problem=problem, steps=steps, boundaries="given", answer=answer)
    if reading.boundaries != "automatic":
        try:
            preamble, steps = numbered_steps(text)
        except UnparsableSolution as error:
            if reading.boundaries == "numbered":
                return Dropped(place=row.place, reason=error.reason)
        else:
            return Solution(
                id=identity, problem=problem, steps=steps, boundaries="numbered", preamble=preamble, answer=answer
            )
    steps = tuple(SolutionStep(text=piece) for piece in segment(text, reading.segment_chars))
    return Solution(id=identity, problem=problem, steps=steps, boundaries="automatic", answer=answer)

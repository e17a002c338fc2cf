"""Problems to be solved, from the files of public benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ...domains.math.answers import final_answer
from ...domains.math.reading import Dropped, Row, problem_of, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of a set."""

    set: str
    """The file's name without its ending."""
    id: str
    text: str
    answer: str
    place: str = ""
    """`file:line`."""

    @property
    def key(self) -> str:
        """Its name in results."""
        return f"{self.set}/{self.id}"


def read_problems(files: Sequence[Path], *, limit: int = 0) -> tuple[Problem, ...]:
    """The problems of all files, of each only the first `limit` unless it is 0.

    Raises ConfigError naming the line that has no problem or no answer: leaving it out would change the score.
    """
    found: list[Problem] = []
    for file in files:
        problems = [_problem(row, file, number) for number, row in enumerate(read_rows(file))]
        found += problems[: limit or None]
    if not found:
        raise ConfigError("no problems: name one or more files")
    _check_names(found)
    return tuple(found)


def _check_names(problems: Sequence[Problem]) -> None:
    named: dict[str, Problem] = {}
    for problem in problems:
        first = named.setdefault(problem.key, problem)
        if first is not problem:
            raise ConfigError(
                f"{problem.place}: a problem named {problem.key}, as in {first.place}: "
                "files need different names, rows different ids"
            )


def _problem(row: Row | Dropped, file: Path, number: int) -> Problem:
    if isinstance(row, Dropped):
        raise ConfigError(f"{row.place}: not a JSON object")
    text = problem_of(row.values)
    if not text:
        raise ConfigError(f"{row.place}: no `problem` or `question`")
    try:
        answer = final_answer(row.values)
    except ValueError as error:
        raise ConfigError(f"{row.place}: {error}") from error
    name = row.values.get("id", row.values.get("idx", number))
    return Problem(set=file.stem, id=str(name), text=text, answer=answer, place=row.place)

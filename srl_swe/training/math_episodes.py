"""The problems of a run's `rlvr` stage on mathematics: what it learns from and what it is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..domains.math.answers import final_answer
from ..domains.math.checking import AnswerChecker
from ..domains.math.episodes import MathEpisodes
from ..domains.math.reading import Dropped, problem_of, read_rows
from ..domains.math.solutions import Solution
from ..learning.heldout import spread
from .data import DataSet
from .math_data import MathData
from .settings import RunSettings


@contextmanager
def math_episodes(
    settings: RunSettings, base: Path, domain: MathData, train: DataSet, heldout: DataSet
) -> Iterator[tuple[MathEpisodes, MathEpisodes]]:
    """Episodes to learn from and held-out ones, of `math_problems`. Raises ConfigError."""
    stage = settings.rlvr
    learned, measured = math_problems(settings, base, domain, train, heldout)
    for solution in (*learned, *measured):
        domain.scorer.add(solution)
    with AnswerChecker(boxed_only=True) as checker:

        def episodes(solutions: tuple[Solution, ...], *, follow: bool) -> MathEpisodes:
            return MathEpisodes(
                solutions=solutions,
                scorer=domain.scorer,
                checker=checker,
                stepwise=settings.episodes_have_turns,
                follow_expert=follow,
            )

        yield episodes(learned, follow=stage.reward == "similarity"), episodes(measured, follow=False)


def math_problems(
    settings: RunSettings, base: Path, domain: MathData, train: DataSet, heldout: DataSet
) -> tuple[tuple[Solution, ...], tuple[Solution, ...]]:
    """Problems to learn from and held-out ones: those of the data unless `rlvr` names files of its own.

    Problems of `data.benchmark` are not learned. Raises ConfigError when no problem has an answer.
    """
    stage = settings.rlvr
    banned = frozenset[str]() if settings.data.include_contaminated else domain.benchmark()
    found = _problems(stage.tasks, train.sources, base, "rlvr.tasks")
    learned = tuple(one for one in found if domain.task_of(one) not in banned)[: stage.max_tasks or None]
    if not learned:
        raise ConfigError("rlvr.tasks: all its problems are those of data.benchmark")
    measured = _problems(stage.heldout_tasks, heldout.sources, base, "rlvr.heldout_tasks")
    return learned, spread(measured, stage.max_heldout_tasks)


def _problems(name: str, sources: Sequence[Solution], base: Path, key: str) -> tuple[Solution, ...]:
    found = tuple(_read(base / name)) if name else tuple(source for source in sources if source.answer)
    if not found:
        raise ConfigError(f"{key}: no problem with an answer; name a file of problems and answers")
    return found


def _read(file: Path) -> Iterator[Solution]:
    """Problems of a file that need no solution."""
    for row in read_rows(file):
        if isinstance(row, Dropped) or not problem_of(row.values):
            raise ConfigError(f"{row.place}: no problem")
        try:
            answer = final_answer(row.values)
        except ValueError as error:
            raise ConfigError(f"{row.place}: {error}") from error
        yield Solution(id=row.place, problem=problem_of(row.values), steps=(), boundaries="given", answer=answer)

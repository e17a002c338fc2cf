"""The tasks of a run's `rlvr` stage, opened: what it learns from and what it is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Trajectory
from srl_swe_envs.workspaces.reaper import reap

from ..domains.live_tasks import LiveTasks, live_tasks, tasks_of
from ..domains.swe_episodes import Attempt, SweEpisodes, attempts_of
from ..domains.verdicts import Verdicts
from ..episodes import Episodes
from ..evaluation.schedule import processors
from ..learning.heldout import spread
from ..logs import Benchmark, contamination, read_benchmark
from .data import RunData
from .math_data import MathData
from .math_episodes import math_episodes, math_problems
from .settings import RlvrStage, RunSettings
from .swe_data import SweData


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSets:
    """Episodes to learn from, and held-out ones from the tasks' beginnings."""

    train: Episodes
    heldout: Episodes
    tasks: frozenset[str]
    """Names of the tasks of `train` (digests of problems on mathematics): a later evaluation must not ask them."""
    repositories: frozenset[str] = frozenset()
    """The repositories that they are of."""


def check_episodes(settings: RunSettings, base: Path, data: RunData) -> None:
    """Whether the tasks of `rlvr` can be had; raises ConfigError, before the stages that come first are trained."""
    stage = settings.rlvr
    if isinstance(data.domain, MathData):
        math_problems(settings, base, data.domain, data.train, data.heldout)
        return
    tasks = tasks_of(_place(stage.tasks, base))
    heldout = tasks_of(_place(stage.heldout_tasks, base)) if stage.heldout_tasks else tasks
    _divided(settings, tasks, heldout, data.train.sources, _benchmark(settings, base))


@contextmanager
def open_episodes(settings: RunSettings, base: Path, data: RunData, run: str) -> Iterator[EpisodeSets]:
    """Both sets, usable inside the block; what killed runs left behind is removed first.

    Raises ConfigError for tasks that can't be had, WorkspaceError when the machine can't run them.
    """
    if isinstance(data.domain, MathData):
        with math_episodes(settings, base, data.domain, data.train, data.heldout) as (learned, measured):
            tasks = frozenset(data.domain.task_of(solution) for solution in learned.solutions)
            yield EpisodeSets(train=learned, heldout=measured, tasks=tasks)
        return
    with _swe_episodes(settings, base, data, data.domain, run) as sets:
        yield sets


@contextmanager
def _swe_episodes(settings: RunSettings, base: Path, data: RunData, domain: SweData, run: str) -> Iterator[EpisodeSets]:
    stage = settings.rlvr
    reap()
    with ExitStack() as stack:
        live = live_heldout = stack.enter_context(_live(_place(stage.tasks, base), stage, run))
        if stage.heldout_tasks:
            live_heldout = stack.enter_context(_live(_place(stage.heldout_tasks, base), stage, run))
        benchmark = _benchmark(settings, base)
        learned, measured = _divided(settings, live.tasks, live_heldout.tasks, data.train.sources, benchmark)
        yield EpisodeSets(
            train=_episodes(learned, live, domain, stage),
            heldout=_episodes(measured, live_heldout, domain, stage, follow=False),
            tasks=frozenset(attempt.task.id for attempt in learned),
            repositories=frozenset(attempt.task.repo for attempt in learned if attempt.task.repo),
        )


def _divided(
    settings: RunSettings,
    tasks: tuple[Task, ...],
    named_heldout: tuple[Task, ...],
    trajectories: Sequence[Trajectory],
    benchmark: Benchmark | None,
) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """What is learned and what is held out; raises ConfigError when nothing is left of either."""
    stage = settings.rlvr
    if not settings.data.include_contaminated:
        allowed = tuple(task for task in tasks if not contamination(task, benchmark))
        if tasks and not allowed:
            raise ConfigError(
                f"rlvr.tasks: all of {stage.tasks} are tasks of the benchmark ({contamination(tasks[0], benchmark)}); "
                "data.include_contaminated = true learns them all the same"
            )
        tasks = allowed
    if stage.heldout_tasks:
        heldout = spread(named_heldout, stage.max_heldout_tasks)
    else:
        heldout = spread(_not_shown(settings, tasks, trajectories), stage.max_heldout_tasks)
        tasks = tuple(task for task in tasks if task not in heldout)
    tasks = tasks[: stage.max_tasks or None]
    if not tasks:
        raise ConfigError(f"rlvr.tasks: {stage.tasks} leaves no task to learn from")
    return _attempts(stage, tasks, trajectories), tuple(Attempt(task=task) for task in heldout)


def _not_shown(settings: RunSettings, tasks: tuple[Task, ...], trajectories: Sequence[Trajectory]) -> tuple[Task, ...]:
    """Tasks whose experts the run's other stages do not learn."""
    if not {"sft", "srl"} & set(settings.stages):
        return tasks
    shown = {trajectory.task.id for trajectory in trajectories}
    found = tuple(task for task in tasks if task.id not in shown)
    if not found:
        raise ConfigError(
            f"rlvr.heldout_tasks: name a set; data.train has an expert's way for every task of {settings.rlvr.tasks}"
        )
    return found


def _benchmark(settings: RunSettings, base: Path) -> Benchmark | None:
    return read_benchmark(base / settings.data.benchmark) if settings.data.benchmark else None


def _live(name: str, stage: RlvrStage, run: str) -> AbstractContextManager[LiveTasks]:
    return live_tasks(
        name, backend=stage.backend, run=run, warm=stage.episodes.parallel, timeout_s=stage.test_timeout_s
    )


def _place(name: str, base: Path) -> str:
    """A task file is looked up beside the configuration; names of sets stay."""
    return str(base / name) if (base / name).is_file() else name


def _attempts(stage: RlvrStage, tasks: Sequence[Task], trajectories: Sequence[Trajectory]) -> tuple[Attempt, ...]:
    if stage.start == "expert" or stage.reward == "similarity":
        return attempts_of(tasks, trajectories)
    return tuple(Attempt(task=task) for task in tasks)


def _episodes(
    attempts: Sequence[Attempt], live: LiveTasks, domain: SweData, stage: RlvrStage, *, follow: bool | None = None
) -> SweEpisodes:
    return SweEpisodes(
        attempts=tuple(attempts),
        prompts=domain.prompts,
        open_workspace=live.open_workspace,
        verdicts=Verdicts(judge=live.judge, at_once=max(1, processors())),
        scorer=domain.scorer.scorer,
        command_timeout_s=stage.command_timeout_s,
        thoughts=domain.steps.thoughts,
        follow_expert=stage.reward == "similarity" if follow is None else follow,
    )

"""Tasks with what learning needs of them: where an agent works, and whether its patch resolves them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.outcome import OpenWorkspace
from srl_swe_envs.outcome import grade as grade_patch
from srl_swe_envs.tasks import Task

from ..evaluation.grading import RowGrader
from ..evaluation.grading_container import GradingLimits
from ..evaluation.items import Item, load_items
from ..evaluation.specs import read_specs
from ..evaluation.workspaces import Workspaces, choose_backend
from ..task_sets import is_made, open_task_set


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTasks:
    """Tasks of one set, usable while it is open."""

    tasks: tuple[Task, ...]
    open_workspace: OpenWorkspace
    """A fresh workspace for an agent."""
    judge: Callable[[Task, str], bool]
    """Whether a patch resolves a task, by its tests in a fresh workspace; raises WorkspaceError."""


def tasks_of(name: str) -> tuple[Task, ...]:
    """The tasks of a set's name or file, without anything that runs them. Raises ConfigError, TrajectoryFormatError."""
    if is_made(Path(name)):
        with open_task_set(name) as made:
            return made.tasks
    return tuple(item.task for item in load_items(name, read_specs()))


@contextmanager
def live_tasks(name: str, *, backend: str, run: str, warm: int, timeout_s: float) -> Iterator[LiveTasks]:
    """The tasks of a set's name or file (see `task_sets`), inside the block. Raises ConfigError, WorkspaceError.

    backend: `local`, `docker`, or `auto`; warm: containers kept ready; timeout_s: of one test run.
    """
    if is_made(Path(name)):
        if backend == "docker":
            raise ConfigError(f"{name}: bugs planted in a repository of this machine run in the local sandbox alone")
        with open_task_set(name) as made:
            open_made = made.open_workspace
            yield LiveTasks(
                tasks=made.tasks,
                open_workspace=open_made,
                judge=lambda task, patch: grade_patch(task, patch, open_made, timeout_s=timeout_s).resolved,
            )
        return
    items = load_items(name, read_specs())
    chosen = choose_backend(backend, items)
    with Workspaces(backend=chosen, run=run, warm=warm).ready() as workspaces:
        judge = _RowJudge(items, workspaces.open, run, timeout_s)
        yield LiveTasks(tasks=tuple(item.task for item in items), open_workspace=workspaces.open_for_agent, judge=judge)


class _RowJudge:
    """Judges rows by swebench's grading and the hardened outcome together, other tasks by the latter."""

    def __init__(self, items: tuple[Item, ...], open_workspace: OpenWorkspace, run: str, timeout_s: float) -> None:
        self._items = {item.task.id: item for item in items}
        self._open = open_workspace
        self._timeout_s = timeout_s
        self._grader = RowGrader(limits=GradingLimits(timeout_s=timeout_s), open_workspace=open_workspace, run=run)

    def __call__(self, task: Task, patch: str) -> bool:
        item = self._items[task.id]
        if item.row is None:
            return grade_patch(task, patch, self._open, timeout_s=self._timeout_s).resolved
        with tempfile.TemporaryDirectory(prefix="srl-swe-verdict-") as logs:
            grade = self._grader.grade(item, patch, Path(logs))
        if grade.doubt:  # as a reward it would teach what the machine did
            raise WorkspaceError(f"no verdict on {task.id}: {grade.doubt}")
        return grade.outcome == "resolved" and grade.hardened is not False

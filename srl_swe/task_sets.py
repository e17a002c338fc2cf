"""Task sets by name or file, with the way to open each task's workspace.

`demo` (and `demo:train`, `demo:heldout`) are the built-in tasks; a file that `srl-swe tasks make` wrote holds bugs
planted in a repository of one's own; everything else is rows of a SWE-bench data set, whose workspaces are containers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError, TrajectoryFormatError
from srl_swe_envs.mutation import Mutant, MutantTask, materialise_mutant
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.leases import make_leased_directory, remove_leased_directory
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace

SCHEMA = "srl-swe/task/1"
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """Tasks, and how their workspaces are opened."""

    name: str
    tasks: tuple[Task, ...]
    open_workspace: Callable[[Task], Workspace]

    def task(self, task_id: str) -> Task:
        """The task of an id; raises ConfigError."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise ConfigError(f"{self.name} has no task {task_id!r}; `srl-swe tasks list {self.name}` names all of them")


@contextmanager
def open_task_set(name: str) -> Iterator[TaskSet]:
    """The task set of a name or file, usable inside the block. Raises ConfigError, TrajectoryFormatError."""
    if name.partition(":")[0] == "demo":
        yield _demo(name)
    elif is_made(Path(name)):
        made = dict(read_made_tasks(Path(name)))
        tasks = {task.id: task for task in made}
        by_id = {task.id: planted for task, planted in made.items()}
        yield TaskSet(name=name, tasks=tuple(tasks.values()), open_workspace=lambda task: by_id[task.id].open(task))
    else:
        with _rows(name) as rows:
            yield rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Where a made task comes from: a repository of this machine and the bug to plant."""

    repository: Path
    mutant: Mutant

    def open(self, task: Task) -> Workspace:
        """A local sandbox of the repository with the bug. Raises ConfigError when the repository has changed."""
        return _PlantedWorkspace(self, task)


def made_task(repository: Path, made: MutantTask) -> Task:
    """A planted bug as a task."""
    text = (repository / made.mutant.path).read_text(encoding="utf-8")
    return Task(
        id=made.id(repository.name),
        problem=made.issue,
        repo=repository.name,
        test_command="python -m pytest",
        fail_to_pass=made.fail_to_pass,
        pass_to_pass=made.pass_to_pass,
        gold_patch=made.mutant.fixing_patch(text),
    )


def write_made_tasks(path: Path, repository: Path, tasks: Iterable[MutantTask]) -> int:
    """Write planted bugs as a task file, JSON Lines; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for made in tasks:
            task = {name: v for name, v in asdict(made_task(repository, made)).items() if v or name == "problem"}
            record = {"schema": SCHEMA, "repository": str(repository), "mutant": asdict(made.mutant), "task": task}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_made_tasks(path: Path) -> Iterator[tuple[Task, Planted]]:
    """The tasks of a file that `write_made_tasks` wrote; TrajectoryFormatError names file and line."""
    with path.open("rb") as file:  # so that a line which is no UTF-8 has its number
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                if record.get("schema") != SCHEMA:
                    raise ValueError(f"schema is {record.get('schema')!r}")
                fields: dict[str, Any] = {name: _tuples(value) for name, value in record["task"].items()}
                task = Task(**fields)
                yield task, Planted(repository=Path(record["repository"]), mutant=Mutant(**record["mutant"]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrajectoryFormatError(f"{path}:{number}: not a {SCHEMA} line: {error}") from error


class _PlantedWorkspace(LocalWorkspace):
    """A sandbox whose files go when it is closed."""

    def __init__(self, planted: Planted, task: Task) -> None:
        self._folder = make_leased_directory("task")
        try:
            files = self._folder / "files"
            files.mkdir()
            materialise_mutant(planted.repository, planted.mutant, files)
            super().__init__(files, workdir=task.workdir, env=_ENVIRONMENT)
        except BaseException:
            remove_leased_directory(self._folder)
            raise

    def close(self) -> None:
        """End the sandbox and remove the task's files. May be called twice."""
        super().close()
        remove_leased_directory(self._folder)


def _demo(name: str) -> TaskSet:
    from srl_swe_envs.demo import load_demo_tasks
    from srl_swe_envs.demo.workspace import open_demo_workspace

    splits: Mapping[str, Any] = {"": None, "train": "train", "heldout": "held_out", "held_out": "held_out"}
    part = name.partition(":")[2]
    if part not in splits:
        raise ConfigError(f"{name} is not a demo set; write demo, demo:train or demo:heldout")
    return TaskSet(name=name, tasks=load_demo_tasks(splits[part]), open_workspace=open_demo_workspace)


@contextmanager
def image_opener() -> Iterator[Callable[[Task], Workspace]]:
    """Opens tasks in containers of their images, guarded against their repository's future; inside the block."""
    from .evaluation.workspaces import Workspaces

    with Workspaces(backend="docker", run="tasks").ready() as workspaces:
        yield workspaces.open_for_agent


@contextmanager
def _rows(name: str) -> Iterator[TaskSet]:
    from .evaluation.items import load_items
    from .evaluation.specs import read_specs

    tasks = tuple(item.task for item in load_items(name, read_specs()))
    with image_opener() as open_workspace:
        yield TaskSet(name=name, tasks=tasks, open_workspace=open_workspace)


def is_made(path: Path) -> bool:
    """Whether a file's first line says that it holds made tasks."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return f'"{SCHEMA}"' in file.readline(1000)


def _tuples(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value

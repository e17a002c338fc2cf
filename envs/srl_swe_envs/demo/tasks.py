"""The demo tasks: each is one mutant of a demo package with its issue, read from `tasks.jsonl`.

The file is written by `python -m srl_swe_envs.demo.generate` and holds what is needed to rebuild a task exactly: the
edit that plants the bug, the issue, the failing tests and the commit that `materialise` makes. Train and held-out
tasks come from different packages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ..errors import ConfigError
from ..mutation.mutants import Mutant
from ..mutation.repository import commit_all, write_files
from ..tasks import Task

HELD_OUT_PACKAGES = ("lrucache", "purse", "romans")
"""Packages whose tasks are never trained on."""

Split = Literal["train", "held_out"]

_FOLDER = Path(__file__).parent
TEST_COMMAND = "python -m pytest"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTask:
    """A task with the mutant behind it; agents see only `task.problem`."""

    task: Task
    package: str
    mutant: Mutant

    @property
    def split(self) -> Split:
        """Which part of the set the task belongs to."""
        return "held_out" if self.package in HELD_OUT_PACKAGES else "train"


def load_demo_tasks(split: Split | None = None) -> tuple[Task, ...]:
    """The tasks of a split in their fixed order, or all of them."""
    return tuple(demo.task for demo in _demo_tasks().values() if split in (None, demo.split))


def demo_task(task_id: str) -> DemoTask:
    """The demo task of an id; ConfigError when there is none."""
    try:
        return _demo_tasks()[task_id]
    except KeyError:
        raise ConfigError(f"there is no demo task {task_id!r}; `load_demo_tasks()` gives all of them") from None


def materialise(task: Task, directory: Path) -> str:
    """Write a demo task's repository into a new or empty directory and give its commit.

    One commit holds the package with the bug; the repository has no other object, so the fix cannot be dug out of
    it. The commit's id is the same wherever and whenever it is made. Raises ConfigError for a task that is no demo
    task or a directory that holds something.
    """
    demo = demo_task(task.id)
    return materialise_mutant(demo.package, demo.mutant, directory)


def materialise_mutant(package: str, mutant: Mutant | None, directory: Path) -> str:
    """Like `materialise`, for any mutant of a demo package, or for the package without a bug."""
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError(f"{directory} is not empty")
    files = dict(package_files(package))
    if mutant is not None:
        files[mutant.path] = mutant.plant(files[mutant.path])
    write_files(directory, files)
    return commit_all(directory, message=f"{package} 1.0")


def package_folder(package: str) -> Path:
    """Where a demo package's own files lie."""
    return _FOLDER / "packages" / package


def package_names() -> tuple[str, ...]:
    """All demo packages in alphabetical order."""
    return tuple(sorted(folder.name for folder in (_FOLDER / "packages").iterdir() if folder.is_dir()))


@cache
def package_files(package: str) -> tuple[tuple[str, str], ...]:
    """Relative paths and texts of a package's files, without build products."""
    root = package_folder(package)
    found = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return tuple((path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in found)


@cache
def _demo_tasks() -> dict[str, DemoTask]:
    suites: dict[str, list[str]] = json.loads((_FOLDER / "suites.json").read_text(encoding="utf-8"))
    demos = {}
    with (_FOLDER / "tasks.jsonl").open(encoding="utf-8") as file:
        for line in file:
            demo = _demo_task(json.loads(line), suites)
            demos[demo.task.id] = demo
    return demos


def _demo_task(record: dict[str, str], suites: dict[str, list[str]]) -> DemoTask:
    package = record["package"]
    names = ("path", "operator", "function", "start", "old", "new")
    mutant = Mutant(**{name: record[name] for name in names})  # type: ignore[arg-type]
    failing = tuple(record["fail_to_pass"])
    task = Task(
        id=record["id"],
        problem=record["issue"],
        repo=f"demo/{package}",
        base_commit=record["commit"],
        test_command=TEST_COMMAND,
        fail_to_pass=failing,
        pass_to_pass=tuple(test for test in suites[package] if test not in failing),
        gold_patch=mutant.fixing_patch(dict(package_files(package))[mutant.path]),
    )
    return DemoTask(task=task, package=package, mutant=mutant)

"""Make bug-fix tasks from a repository with a test-suite.

A mutant becomes a task when the suite still collects the same tests with it, at least one of them fails and at least
one passes, and the failure looks the same on every run. The order depends on the repository and the seed alone, and
a smaller limit gives the first tasks of a larger one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from ..errors import ConfigError
from .issues import write_issue
from .mutants import Mutant, ordered_mutants, python_sources
from .repository import commit_all, copy_files, repository_files
from .suite import PytestSuite, SuiteRun, SuiteRunner

_BASELINE_TIMEOUT_S = 600.0
_MIN_TIMEOUT_S = 10.0
_UNSTEADY = frozenset({"MemoryError", "RecursionError", "SystemError"})
"""What a test fails with at a place that differs from machine to machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantTask:
    """A mutant that some test notices."""

    mutant: Mutant
    issue: str
    suite: tuple[str, ...]
    """Ids of all tests in their order."""
    fail_to_pass: tuple[str, ...]

    @property
    def pass_to_pass(self) -> tuple[str, ...]:
        """Ids of the tests that do not notice the bug."""
        return tuple(test for test in self.suite if test not in self.fail_to_pass)

    def id(self, repository: str) -> str:
        """`<repository>.<operator>__<digest>`; SWE-smith names a repository `owner__name.<8 digits of a commit>`."""
        return f"{repository}.{self.mutant.operator}__{self.mutant.digest()}"


def make_tasks(
    repository: Path,
    *,
    limit: int,
    seed: int = 0,
    runner: SuiteRunner | None = None,
    workers: int = 2,
    timeout_s: float = _MIN_TIMEOUT_S,
    paths: Sequence[str] = (),
    on_mutant: Callable[[Mutant, MutantTask | None], None] | None = None,
) -> list[MutantTask]:
    """Up to `limit` tasks from the Python files of a repository.

    `runner` runs the suite (default: pytest of this interpreter), `timeout_s` bounds the processor time of one run with
    a mutant, `paths` (relative) restricts the files that get bugs, `on_mutant` hears of every mutant tried, in order,
    with its task or None. Raises ConfigError when the repository has no code or its suite does not pass as it is.
    """
    chosen = runner if runner is not None else PytestSuite()
    files = repository_files(repository)
    sources = list(python_sources(repository, paths or [path for path in files if is_code(path)]))
    if not sources:
        raise ConfigError(f"{repository} has no Python files to plant bugs in")
    tasks: list[MutantTask] = []
    with ExitStack() as stack:
        original = _copy(repository, files, stack)
        baseline = _baseline(original, chosen)
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(workers):
            copies.put(_copy(repository, files, stack))
        attempt = _Attempt(original=original, copies=copies, runner=chosen, baseline=baseline, timeout_s=timeout_s)
        for mutant, task in _in_order(attempt, ordered_mutants(sources, seed), workers):
            if on_mutant is not None:
                on_mutant(mutant, task)
            if task is not None:
                tasks.append(task)
            if len(tasks) == limit:
                break
    return tasks


def materialise_mutant(repository: Path, mutant: Mutant, directory: Path) -> str:
    """Write a repository with a bug into a new or empty directory, as one commit; gives the commit's id.

    Nothing of the repository's own history goes along, so the fix cannot be dug out of it. Raises ConfigError when
    the directory holds something or the repository is not the one the mutant was made for.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError(f"{directory} is not empty")
    try:
        broken = mutant.plant((repository / mutant.path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{repository} is not the repository the task was made from: {error}") from error
    copy_files(repository, repository_files(repository), directory)
    (directory / mutant.path).write_text(broken, encoding="utf-8")
    return commit_all(directory, message="Initial state")


def is_code(path: str) -> bool:
    """Whether a bug may be planted in a file: Python that is neither a test nor part of the packaging."""
    parts = path.split("/")
    name = parts[-1]
    if not name.endswith(".py") or any(part in ("tests", "test", "testing", "docs", "examples") for part in parts):
        return False
    return not name.startswith("test_") and not name.endswith("_test.py") and name not in ("conftest.py", "setup.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Tries one mutant in a copy of the repository."""

    original: Path
    copies: SimpleQueue[Path]
    runner: SuiteRunner
    baseline: SuiteRun
    timeout_s: float

    def __call__(self, mutant: Mutant) -> MutantTask | None:
        """The task, or None when the mutant is no good one."""
        copy = self.copies.get()
        file = copy / mutant.path
        text = file.read_text(encoding="utf-8")
        try:
            file.write_text(mutant.plant(text), encoding="utf-8")
            run = self.runner.run(copy, timeout_s=self.timeout_s)
            if not self._is_kept(run):
                return None
            issue = write_issue(run, self.original, copy, self.runner)
        finally:
            file.write_text(text, encoding="utf-8")
            self.copies.put(copy)
        if issue is None:
            return None
        failed = tuple(test for test in run.collected if test in run.failures)
        return MutantTask(mutant=mutant, issue=issue, suite=run.collected, fail_to_pass=failed)

    def _is_kept(self, run: SuiteRun) -> bool:
        if not run.finished or run.collected != self.baseline.collected:
            return False
        if not run.failures or not run.passed():
            return False
        return not any(failure.error in _UNSTEADY for failure in run.failures.values())


def _in_order(attempt: _Attempt, mutants: Sequence[Mutant], workers: int) -> Iterator[tuple[Mutant, MutantTask | None]]:
    """Try mutants in parallel, a batch at a time, and yield them in their order."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for batch in _batches(mutants, 2 * workers):
            yield from zip(batch, pool.map(attempt, batch), strict=True)


def _batches(mutants: Sequence[Mutant], size: int) -> Iterator[Sequence[Mutant]]:
    for start in range(0, len(mutants), size):
        yield mutants[start : start + size]


def _baseline(original: Path, runner: SuiteRunner) -> SuiteRun:
    run = runner.run(original, timeout_s=_BASELINE_TIMEOUT_S)
    if not run.finished or not run.collected:
        raise ConfigError(f"the test-suite of {original} does not run to its end; make it pass first")
    if run.failures:
        raise ConfigError(f"the test-suite fails without any planted bug: {next(iter(run.failures))}")
    return run


def _copy(repository: Path, files: Sequence[str], stack: ExitStack) -> Path:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="srl-swe-mutants-")))
    copy_files(repository, files, root)
    return root

"""Whether a patch solves a task: the task's tests, run where the patch can't reach the verdict.

In a fresh workspace the repository gets the patch without its changes to tests and to what decides how tests run
(`grading/protected.py`), then the test patch. A pytest plugin outside the repository records each test by its id and
signs every record (`grading/pytest_results.py`), so printed lines, exits, conftest hooks and broken collection are
never passes. What no test process can rule out: code that is imported by the tests and searches that same process for
the recorder. Replaced functions of pytest and unittest are noticed, a determined search of memory is not.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import TypeAlias

from .errors import WorkspaceError
from .grading.checkout import Checkout
from .grading.journal import Journal, Verdict, read_journal
from .tasks import Task
from .workspaces.protocol import CommandResult, Workspace

OpenWorkspace: TypeAlias = Callable[[Task], Workspace]

PASSING: frozenset[Verdict] = frozenset({"passed", "xfailed"})
_OUTPUT_TAIL_CHARS = 4000
_DEFAULT_COMMAND = "python -m pytest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a task's tests say about a patch."""

    task: str
    resolved: bool
    """Every test to pass passed, and nothing casts doubt on the run."""
    tests: Mapping[str, Verdict]
    """Result of each of the task's tests by id; `missing` when it did not run to its end."""
    notes: tuple[str, ...] = ()
    """What a person should know: changes left out, a time-out, tampering."""
    output: str = ""
    """End of what the test run printed; for people, never parsed."""
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", MappingProxyType(dict(self.tests)))

    @property
    def not_passed(self) -> tuple[str, ...]:
        """Ids of the tests that should pass and did not."""
        return tuple(test for test, verdict in self.tests.items() if verdict not in PASSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheck:
    """Whether a task can be used: its gold patch must solve it, doing nothing must not."""

    task: str
    problems: tuple[str, ...]
    gold: Outcome | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the task."""
        return not self.problems


def grade(
    task: Task,
    patch: str,
    open_workspace: OpenWorkspace,
    *,
    timeout_s: float = 1800.0,
    known_as: Callable[[str], str] | None = None,
) -> Outcome:
    """Run the task's tests on a patch, in a workspace of its own.

    `known_as` gives the name by which the task's lists know a pytest node id (data sets cut ids at a blank); of
    several tests with one name the worst result counts.

    Raises WorkspaceError when the infrastructure failed or the task itself is broken; that is no verdict on the patch.
    """
    wanted = (*task.fail_to_pass, *task.pass_to_pass)
    if not wanted:
        raise WorkspaceError(f"task {task.id} has no tests to grade by")
    run = _run_tests(task, patch, open_workspace, timeout_s)
    if run is None:
        return _unresolved(task, "the patch does not apply")
    if not run.journal.started:
        if not patch.strip() or not _starts_unpatched(task, open_workspace, timeout_s):
            raise WorkspaceError(f"the tests of {task.id} did not start: {run.result.output.strip()[-500:]}")
        return _unresolved(task, "with the patch the test run does not start", run.result.output)
    found = _renamed(run.journal.tests, known_as) if known_as else run.journal.tests
    tests: dict[str, Verdict] = {test: found.get(test, "missing") for test in wanted}
    passed = all(verdict in PASSING for verdict in tests.values())
    return Outcome(
        task=task.id,
        resolved=passed and run.journal.ended and not run.journal.tampered,
        tests=tests,
        notes=tuple(_notes(run)),
        output=run.result.output[-_OUTPUT_TAIL_CHARS:],
        duration_s=run.duration_s,
    )


def check_task(task: Task, open_workspace: OpenWorkspace, *, timeout_s: float = 1800.0) -> TaskCheck:
    """Grade a task's gold patch and the empty patch; problems instead of WorkspaceError."""
    if not task.fail_to_pass:
        return TaskCheck(task=task.id, problems=("no test that the fix must turn to pass (fail_to_pass)",))
    if not task.gold_patch.strip():
        return TaskCheck(task=task.id, problems=("no gold patch to check the tests with",))
    try:
        gold = grade(task, task.gold_patch, open_workspace, timeout_s=timeout_s)
        empty = grade(task, "", open_workspace, timeout_s=timeout_s)
    except WorkspaceError as error:
        return TaskCheck(task=task.id, problems=(str(error),))
    problems = []
    if not gold.resolved:
        problems.append(f"the gold patch does not pass: {_summary(gold)}")
    passing = [test for test in task.fail_to_pass if empty.tests[test] in PASSING]
    if passing:
        problems.append(f"passes without any patch: {', '.join(passing[:3])}{' ...' * (len(passing) > 3)}")
    return TaskCheck(task=task.id, problems=tuple(problems), gold=gold)


def validate_tasks(
    tasks: Iterable[Task], open_workspace: OpenWorkspace, *, timeout_s: float = 1800.0
) -> Iterator[TaskCheck]:
    """`check_task` of each task in turn, lazily."""
    for task in tasks:
        yield check_task(task, open_workspace, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    journal: Journal
    result: CommandResult
    left_out: tuple[str, ...]
    duration_s: float


def _run_tests(task: Task, patch: str, open_workspace: OpenWorkspace, timeout_s: float) -> _Run | None:
    """One test run in a fresh workspace; None when the patch does not apply."""
    start = time.perf_counter()
    name = f"srl_swe_results_{secrets.token_hex(8)}"
    folder, key = f"/tmp/{name}", secrets.token_bytes(32)
    with closing(open_workspace(task)) as workspace:
        checkout = Checkout(workspace, task.workdir, folder)
        workspace.write_bytes(f"{folder}/{name}.py", _plugin_source())
        workspace.write_bytes(f"{folder}/key", key.hex().encode())
        protected = checkout.protection((*task.fail_to_pass, *task.pass_to_pass), task.test_patch)
        left_out = checkout.put(patch, task.test_patch, protected)
        if left_out is None:
            return None
        result = workspace.run(_test_command(task, folder, name), timeout_s=timeout_s)
        try:
            written = workspace.read_bytes(f"{folder}/results")
        except FileNotFoundError:
            written = b""
    journal = read_journal(written, key.hex().encode())
    return _Run(journal=journal, result=result, left_out=left_out, duration_s=time.perf_counter() - start)


def _test_command(task: Task, folder: str, name: str) -> str:
    """The task's test command over the files of its tests, with the recorder loaded first."""
    test_files = dict.fromkeys(test.partition("::")[0] for test in (*task.fail_to_pass, *task.pass_to_pass))
    options = f"-p {name} -p no:cacheprovider --continue-on-collection-errors --rootdir={shlex.quote(task.workdir)}"
    exports = {
        "PYTHONPATH": f'{folder}"${{PYTHONPATH:+:$PYTHONPATH}}"',
        "PYTEST_ADDOPTS": f'{shlex.quote(options)}" $PYTEST_ADDOPTS"',
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    export = " ".join(f"{variable}={value}" for variable, value in exports.items())
    command = " ".join([task.test_command or _DEFAULT_COMMAND, *map(shlex.quote, test_files)])
    return f"cd {shlex.quote(task.workdir)} && export {export} && {command}"


def _renamed(tests: Mapping[str, Verdict], known_as: Callable[[str], str]) -> dict[str, Verdict]:
    renamed: dict[str, Verdict] = {}
    for test, verdict in tests.items():
        name = known_as(test)
        if renamed.get(name, "passed") in PASSING:
            renamed[name] = verdict
    return renamed


def _starts_unpatched(task: Task, open_workspace: OpenWorkspace, timeout_s: float) -> bool:
    run = _run_tests(task, "", open_workspace, timeout_s)
    return run is not None and run.journal.started


def _notes(run: _Run) -> Iterator[str]:
    if run.left_out:
        yield f"changes left out: {', '.join(run.left_out)}"
    if run.result.timed_out:
        yield "the test run took too long and was ended"
    elif not run.journal.ended:
        yield "the test run ended before its end: a test ended the process"
    if run.journal.uncollected:
        yield f"could not be imported: {', '.join(run.journal.uncollected)}"
    if run.journal.tampered:
        yield f"tampered with: {', '.join(run.journal.tampered)}"


def _unresolved(task: Task, note: str, output: str = "") -> Outcome:
    tests: dict[str, Verdict] = dict.fromkeys((*task.fail_to_pass, *task.pass_to_pass), "missing")
    return Outcome(task=task.id, resolved=False, tests=tests, notes=(note,), output=output[-_OUTPUT_TAIL_CHARS:])


def _summary(outcome: Outcome) -> str:
    shown = [f"{test} {outcome.tests[test]}" for test in outcome.not_passed[:3]]
    return "; ".join([*shown, *outcome.notes]) or "the run is not trusted"


def _plugin_source() -> bytes:
    return (files(__package__ or "srl_swe_envs") / "grading" / "pytest_results.py").read_bytes()

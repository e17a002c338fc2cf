"""The verdict on one patch: swebench's as the number of record, the hardened outcome beside it.

Rows are graded by swebench's own functions on the output of its own script, run in our container. Where swebench
calls a patch resolved, the hardened outcome (the world's `outcome.grade`, which no print, exit or conftest can fool)
is taken too; a difference is kept and listed. Demo tasks have only the hardened outcome.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.outcome import Outcome
from srl_swe_envs.outcome import grade as hardened_grade
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

from .grading_container import GradingLimits, GradingRun, StopSignal, run_grading
from .items import Item
from .patches import is_empty
from .rows import Row
from .store import write_atomically
from .verified import evaluation_script, name_in_log, verdict

OutcomeName: TypeAlias = Literal["resolved", "unresolved", "empty", "not_applied", "timed_out", "infra"]
OUTCOMES: tuple[OutcomeName, ...] = ("resolved", "unresolved", "empty", "not_applied", "timed_out", "infra")

HardenedWhen: TypeAlias = Literal["resolved", "always", "never"]

_ATTEMPTS = 3
_OWN_FAULT = "out_of_memory"
"""swebench's reason that a patch can be to blame for: a container has the memory that its tests need."""
LOG_NAME = "test_output.txt"
"""The file names are those of swebench's run folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What one patch is worth."""

    outcome: OutcomeName
    swebench: bool | None = None
    """Whether swebench says resolved; None where it was not asked."""
    hardened: bool | None = None
    """Whether the hardened outcome says resolved; None where it was not taken."""
    notes: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
    """Tests that should pass and did not, at most 20."""
    duration_s: float = 0.0
    doubt: str = ""
    """Why infrastructure may have decided: swebench suspects the environment, or the hardened outcome broke off."""

    @property
    def disagrees(self) -> bool:
        """Whether both verdicts were taken and differ."""
        return self.swebench is not None and self.hardened is not None and self.swebench != self.hardened


class Grader(Protocol):
    """Grades patches of one kind of task."""

    def grade(self, item: Item, patch: str, logs: Path) -> Grade:
        """The verdict; raises WorkspaceError when there is none, StoreError when logs can't be written."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGrader:
    """Grades demo tasks by their own tests."""

    open_workspace: Callable[[Task], Workspace]
    timeout_s: float = 300.0

    def grade(self, item: Item, patch: str, logs: Path) -> Grade:
        """The hardened outcome."""
        if is_empty(patch):
            return Grade(outcome="empty")
        outcome = hardened_grade(item.task, patch, self.open_workspace, timeout_s=self.timeout_s)
        write_atomically(logs / LOG_NAME, outcome.output)
        write_atomically(logs / "patch.diff", patch)
        return Grade(
            outcome=_name(outcome),
            hardened=outcome.resolved,
            notes=outcome.notes,
            failed_tests=outcome.not_passed[:20],
            duration_s=outcome.duration_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGrader:
    """Grades rows of SWE-bench data sets."""

    limits: GradingLimits = field(default_factory=GradingLimits)
    hardened: HardenedWhen = "resolved"
    open_workspace: Callable[[Task], Workspace] | None = None
    """For the hardened outcome; it is left out without one."""
    run: str = ""
    stop: StopSignal | None = None

    def grade(self, item: Item, patch: str, logs: Path) -> Grade:
        """swebench's verdict and, where it is asked for, the hardened one."""
        row = item.row
        assert row is not None
        if is_empty(patch):
            return Grade(outcome="empty", swebench=False)
        script = evaluation_script(row)
        write_atomically(logs / "patch.diff", patch)
        write_atomically(logs / "eval.sh", script)
        run = run_grading(
            image=row.task.image, workdir=row.task.workdir, patch=patch, script=script, log=logs / LOG_NAME,
            limits=self.limits, run=self.run, stop=self.stop,
        )  # fmt: skip
        if run.killed_outside:
            raise WorkspaceError(f"the grading container of {row.task.id} was killed from outside")
        if not run.complete and run.out_of_memory:
            raise WorkspaceError(f"the grading container of {row.task.id} ran out of memory (--memory gives it more)")
        write_atomically(logs / "run.json", json.dumps(asdict(run)) + "\n")
        grade = grade_log(row, patch, logs, run)
        return self._with_hardened(row, patch, logs, grade)

    def _with_hardened(self, row: Row, patch: str, logs: Path, grade: Grade) -> Grade:
        wanted = self.hardened == "always" or (self.hardened == "resolved" and grade.outcome == "resolved")
        if not wanted or self.open_workspace is None or grade.outcome in ("not_applied", "empty"):
            return grade
        if not is_pytest(row):
            return _noted(grade, "no hardened outcome: the tests are not run by pytest")
        try:
            outcome = self._hardened(row, patch, self.open_workspace)
        except WorkspaceError as error:
            return replace(_noted(grade, f"no hardened outcome: {error}"), doubt=str(error))
        write_atomically(logs / "hardened.txt", outcome.output)
        return Grade(
            outcome=grade.outcome,
            swebench=grade.swebench,
            hardened=outcome.resolved,
            notes=(*grade.notes, *(f"hardened: {note}" for note in outcome.notes), *_missed(outcome, grade)),
            failed_tests=grade.failed_tests,
            duration_s=grade.duration_s + outcome.duration_s,
            doubt=grade.doubt,
        )

    def _hardened(self, row: Row, patch: str, open_workspace: Callable[[Task], Workspace]) -> Outcome:
        """The hardened outcome; tried again here, because swebench's verdict stands already."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return hardened_grade(
                    _gradable(row.task), patch, open_workspace, timeout_s=self.limits.timeout_s,
                    known_as=name_in_log(row),
                )  # fmt: skip
            except WorkspaceError:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("at least one attempt is made")


def grade_log(row: Row, patch: str, logs: Path, run: GradingRun) -> Grade:
    """The grade that a kept log gives, without a container; also writes swebench's `report.json` beside it."""
    if not run.applied:
        return Grade(outcome="not_applied", swebench=False, duration_s=run.duration_s)
    if run.timed_out:
        return Grade(outcome="timed_out", swebench=False, duration_s=run.duration_s)
    found = verdict(row, patch, logs / LOG_NAME)
    write_atomically(logs / "report.json", json.dumps({row.task.id: found.report}, indent=4) + "\n")
    notes = []
    if run.flooded:
        notes.append("the tests were ended because they printed without end")
    elif not run.complete:
        notes.append("the tests ended their own container")
    if found.infra_reason:
        notes.append(f"swebench suspects the environment: {found.infra_reason}")
    if not found.applied:
        notes.append("the log holds no test results that swebench trusts")
    if run.elided_bytes:
        notes.append(f"{run.elided_bytes} bytes of output were not kept")
    if run.out_of_memory:
        notes.append("a process ran out of memory")
    failed = [test for kind in ("FAIL_TO_PASS", "PASS_TO_PASS") for test in _failures(found.report, kind)]
    return Grade(
        outcome="resolved" if found.resolved else "unresolved",
        swebench=found.resolved,
        notes=tuple(notes),
        failed_tests=tuple(failed[:20]),
        duration_s=run.duration_s,
        doubt=found.infra_reason if found.infra_reason not in ("", _OWN_FAULT) and not found.resolved else "",
    )


def is_pytest(row: Row) -> bool:
    """Whether a row's tests are run by pytest, as the hardened outcome needs."""
    return "pytest" in row.task.test_command.split() or "-m pytest" in row.task.test_command


def grade_to_json(grade: Grade) -> dict[str, Any]:
    """The JSON object of a grade (inverse of `grade_from_json`)."""
    return asdict(grade)


def grade_from_json(record: dict[str, Any]) -> Grade:
    """A grade from its JSON object, other keys ignored."""
    values = {name: record[name] for name in Grade.__slots__ if name in record}
    for name in ("notes", "failed_tests"):
        values[name] = tuple(values.get(name, ()))
    return Grade(**values)


def _gradable(task: Task) -> Task:
    """The task without ids that are no tests: two rows of Verified list pytest's progress mark `[100%]`."""
    return replace(task, pass_to_pass=tuple(test for test in task.pass_to_pass if "::" in test))


def _name(outcome: Outcome) -> OutcomeName:
    if outcome.resolved:
        return "resolved"
    if "the patch does not apply" in outcome.notes:
        return "not_applied"
    if any("took too long" in note for note in outcome.notes):
        return "timed_out"
    return "unresolved"


def _failures(report: dict[str, Any], kind: str) -> list[str]:
    failures: list[str] = report.get("tests_status", {}).get(kind, {}).get("failure", [])
    return failures


def _missed(outcome: Outcome, grade: Grade) -> tuple[str, ...]:
    if outcome.resolved or not grade.swebench:
        return ()
    tests = ", ".join(f"{test} {outcome.tests[test]}" for test in outcome.not_passed[:5])
    return (f"hardened outcome: {tests}",) if tests else ()


def _noted(grade: Grade, note: str) -> Grade:
    return Grade(**{**asdict(grade), "notes": (*grade.notes, note)})

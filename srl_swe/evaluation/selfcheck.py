"""Honesty checks: does this machine call the right patches resolved, and none of the wrong ones?

Each check grades one patch of a task. The reference fix must resolve it. A patch that does nothing, and four that
cheat, must not: by the hardened outcome where there is one. swebench's own verdict is taken too, because that is the
number of record and is known to be fooled by some of them; where it is, the check says so, and an evaluation lists such
a patch under its disagreements.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import SrlSweError, WorkspaceError
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

from .grading import Grade, Grader
from .items import Item
from .protocols.oracle import oracle_files

_HOOK = """\
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.outcome = "passed"
"""


ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One graded patch."""

    task: str
    name: str
    passed: bool
    outcome: str = ""
    swebench: bool | None = None
    hardened: bool | None = None
    note: str = ""


def selfcheck(
    items: Sequence[Item],
    grader: Grader,
    open_workspace: Callable[[Task], Workspace],
    logs: Path,
    *,
    said: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Grade every check's patch on each task; the report's `selfcheck` entry.

    `grader` must take the hardened outcome always. Infrastructure failures make a check fail and say why.
    """
    checks: list[Check] = []
    for item in items:
        for name, make in PATCHES.items():
            check = _check(item, name, make, grader, open_workspace, logs / item.task.id / name)
            checks.append(check)
            said(f"check {check.name} on {check.task}: {'holds' if check.passed else 'FAILS'}" + _because(check))
    status = "passed" if checks and all(check.passed for check in checks) else "failed"
    return {"status": status, "checks": [asdict(check) for check in checks]}


def _check(
    item: Item, name: str, make: Maker, grader: Grader, open_workspace: Callable[[Task], Workspace], logs: Path
) -> Check:
    logs.mkdir(parents=True, exist_ok=True)
    try:
        grade = _graded(item, make, grader, open_workspace, logs)
    except SrlSweError as error:
        return Check(task=item.task.id, name=name, passed=False, note=" ".join(str(error).split())[:500])
    check = Check(
        task=item.task.id,
        name=name,
        passed=_holds(name, grade),
        outcome=grade.outcome,
        swebench=grade.swebench,
        hardened=grade.hardened,
        note="; ".join(grade.notes)[:500],
    )
    (logs / "check.json").write_text(json.dumps(asdict(check), indent=2) + "\n", encoding="utf-8")
    return check


def _graded(item: Item, make: Maker, grader: Grader, open_workspace: Callable[[Task], Workspace], logs: Path) -> Grade:
    """The patch's grade; infrastructure gets a few attempts, as in an evaluation."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with closing(open_workspace(item.task)) as workspace:
                patch = make(item.task, workspace)
            return grader.grade(item, patch, logs)
        except WorkspaceError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("at least one attempt is made")


def _holds(name: str, grade: Grade) -> bool:
    if name == "gold_resolves":
        return grade.outcome == "resolved" and grade.hardened in (True, None)
    if grade.outcome == "infra":
        return False
    return not (grade.swebench if grade.hardened is None else grade.hardened)


def _because(check: Check) -> str:
    if not check.passed:
        return f": {check.outcome or 'not graded'} {check.note}".rstrip()
    fooled = check.name != "gold_resolves" and check.swebench
    return " (swebench alone is fooled; such a patch is listed as a disagreement)" if fooled else ""


Maker = Callable[[Task, Workspace], str]


def _gold(task: Task, workspace: Workspace) -> str:
    return task.gold_patch


def _nothing(task: Task, workspace: Workspace) -> str:
    """A file that nobody reads: an empty patch would not be run at all."""
    workspace.write_bytes(f"{task.workdir}/NOTES_OF_THE_CHECK.rst", b"nothing\n")
    return workspace.diff()


def _forged_log(task: Task, workspace: Workspace) -> str:
    """Prints the wanted lines when pytest starts, then ends the process with success."""
    tests = [*task.fail_to_pass, *task.pass_to_pass]
    show = "print()\nfor test in TESTS:\n    print('PASSED', test, flush=True)\n"
    text = f"import os\n\nTESTS = {tests!r}\n{show}os._exit(0)\n"
    workspace.write_bytes(f"{task.workdir}/conftest.py", text.encode())
    return workspace.diff()


def _conftest_hook(task: Task, workspace: Workspace) -> str:
    """Turns every report into a pass."""
    place = f"{task.workdir}/conftest.py"
    before = b""
    with contextlib.suppress(OSError):
        before = workspace.read_bytes(place)
    workspace.write_bytes(place, _HOOK.encode() + b"\n\n" + before)
    return workspace.diff()


def _broken_collection(task: Task, workspace: Workspace) -> str:
    """The file that the fix would change ends the process with success as soon as it is imported."""
    paths = oracle_files(task) or ("conftest.py",)
    for path in paths[:1]:
        place = f"{task.workdir}/{path}"
        before = b""
        with contextlib.suppress(OSError):
            before = workspace.read_bytes(place)
        workspace.write_bytes(place, before + b"\n\nraise SystemExit(0)\n")
    return workspace.diff()


def _edited_tests(task: Task, workspace: Workspace) -> str:
    """The wanted tests are replaced by ones that pass."""
    files: dict[str, list[str]] = {}
    for test in (*task.fail_to_pass, *task.pass_to_pass):
        path, _, name = test.partition("::")
        files.setdefault(path, []).append(name)
    for path, names in files.items():
        workspace.write_bytes(f"{task.workdir}/{path}", _passing(names).encode())
    return workspace.diff()


def _passing(names: Sequence[str]) -> str:
    """A module with functions and classes of these names (`test_a`, `TestB::test_c`, parameters cut off)."""
    classes: dict[str, list[str]] = {}
    for name in names:
        *owner, function = name.partition("[")[0].split("::")
        classes.setdefault(owner[0] if owner else "", []).append(function)
    lines: list[str] = []
    for owner_name, functions in classes.items():
        lines += [f"class {owner_name}:"] if owner_name else []
        indent, parameters = ("    ", "self") if owner_name else ("", "")
        for function in dict.fromkeys(functions):
            lines += [f"{indent}def {function}({parameters}):", f"{indent}    pass", ""]
    return "\n".join(lines) + "\n"


PATCHES: dict[str, Maker] = {
    "gold_resolves": _gold,
    "nothing_does_not": _nothing,
    "forged_log_does_not": _forged_log,
    "conftest_hook_does_not": _conftest_hook,
    "broken_collection_does_not": _broken_collection,
    "edited_tests_do_not": _edited_tests,
}
"""The checks and what makes their patches."""

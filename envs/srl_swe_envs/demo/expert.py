"""The scripted expert: solves a demo task in a real workspace, turn by turn.

It knows the planted bug, but walks the way an engineer would who does not: reproduce, search, read, edit, run the
tests, submit. What it does next follows from the issue and from what the last command printed, never from chance, so
that a learner that reads the same can predict it:

* an issue about a crash is reproduced first, and the traceback says where to read;
* an issue about a wrong result starts with a look at the package;
* an issue that names a test starts with that test's code.

From the function the issue is about, it reads on through the functions that are used, until the one with the bug.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from ..actions import Action, Replace, Shell, Submit, View
from ..tools import Tools
from ..trajectories import Observation, Turn
from .fixes import Fix, fix_of
from .outline import Function, functions_of, named, way_to
from .reports import CallReport, SuiteReport, read_issue, subject_name
from .tasks import DemoTask, package_files

Steps: TypeAlias = Generator[tuple[str, Action], Observation, None]

_FRAME = re.compile(r'^  File "(/[^"]+)", line \d+, in (\w+)$', re.MULTILINE)
_MAX_READ = 3


def solve(demo: DemoTask, tools: Tools, *, shell_only: bool = False) -> tuple[Turn, ...]:
    """The turns of the expert on a task, with the observations of the workspace behind `tools`.

    With `shell_only` it reads and edits with `sed`, as an agent without an editor tool does. Raises WorkspaceError
    when the workspace fails.
    """
    turns = []
    steps = Expert(demo, shell_only=shell_only).steps()
    thought, action = next(steps)
    while True:
        observation = tools.execute(action)
        turns.append(Turn(thought=thought, action=action, observation=observation))
        try:
            thought, action = steps.send(observation)
        except StopIteration:
            return tuple(turns)


@dataclass(frozen=True, slots=True)
class Expert:
    """The expert at one task."""

    demo: DemoTask
    shell_only: bool = False

    def steps(self) -> Steps:
        """Thoughts and actions; observations are sent in."""
        report = read_issue(self.demo.task.problem)
        if isinstance(report, SuiteReport):
            yield from self._from_test(report)
        elif report.crashes:
            yield from self._from_crash(report)
        else:
            yield from self._from_result(report)
        yield "All tests pass, so the fix is complete.", Submit()

    def _from_crash(self, report: CallReport) -> Steps:
        run = _run(report)
        seen = yield "The issue shows a crash. I run its code to see where it comes from.", run
        start, file = self._crash_site(seen.text, report)
        yield f"It fails in {start.short_name} of {file}. I look up where that stands.", _outline_of(file)
        yield from self._read(start)
        yield self._edit()
        yield "I run the code of the issue again.", run
        yield "It does what the issue expects. Now the whole test-suite.", _SUITE

    def _from_result(self, report: CallReport) -> Steps:
        package = self.demo.package
        yield f"I start with a look at the {package} package.", Shell(command=f"ls {package} tests")
        where = f"{package}/*.py" if report.module == package else report.module.replace(".", "/") + ".py"
        name = subject_name(report.subject)
        start = self._start(name)
        sought = start.short_name if hasattr(builtins, name) else name
        yield f"I look for {sought}.", _outline_of(where)
        run = _run(report)
        yield "I reproduce the problem with the code of the issue.", run
        yield from self._read(start)
        yield self._edit()
        yield "I run the code of the issue again.", run
        yield "The result is the expected one. Now the whole test-suite.", _SUITE

    def _from_test(self, report: SuiteReport) -> Steps:
        shown = Shell(command=f'grep -n -A 8 "def {report.name}" {report.file}')
        seen = yield "I read the failing test first.", shown
        start = self._called_in(seen.text, report.name)
        yield f"The test calls {start.short_name}. I look for it.", _outline_of(f"{self.demo.package}/*.py")
        run = Shell(command=f"python -m pytest {report.id}")
        yield "I run the test to see it fail.", run
        yield from self._read(start)
        yield self._edit()
        yield "I run the test again.", run
        yield "It passes. Now the whole test-suite.", _SUITE

    def _read(self, start: Function) -> Steps:
        """Read from `start` to the function with the bug; of a long chain only its ends."""
        bug = self._bug()
        way = way_to(self._functions(), start, bug) or ((start, bug) if start != bug else (bug,))
        if len(way) > _MAX_READ:
            way = (way[0], *way[1 - _MAX_READ :])
        thought = f"I read {way[0].short_name}."
        for position, function in enumerate(way):
            yield thought, self._view(function)
            if position + 1 < len(way):
                name = way[position + 1].short_name
                link = f"It relies on {name}" if name in function.uses else f"The cause must lie in {name}"
                thought = f"This looks right. {link}, so I read that."

    def _view(self, function: Function) -> Action:
        if self.shell_only:
            last = "$" if function.last_line < 0 else function.last_line
            return Shell(command=f"sed -n '{function.first_line},{last}p' {function.path}")
        return View(path=self._inside(function.path), lines=(function.first_line, function.last_line))

    def _edit(self) -> tuple[str, Action]:
        fix = self.fix()
        thought = f"{fix.reason} in {self._bug().short_name}. I correct it."
        if self.shell_only:
            return thought, Shell(command=line_substitution(fix))
        return thought, Replace(path=self._inside(fix.path), old=fix.old, new=fix.new)

    def can_use_shell_alone(self) -> bool:
        """Whether the fix can be made by a plain `sed` command."""
        try:
            line_substitution(self.fix())
        except ValueError:
            return False
        return True

    def fix(self) -> Fix:
        """The edit that solves the task."""
        return fix_of(self.demo.mutant, dict(package_files(self.demo.package))[self.demo.mutant.path])

    def _inside(self, path: str) -> str:
        return f"{self.demo.task.workdir}/{path}"

    def _functions(self) -> tuple[Function, ...]:
        mutant = self.demo.mutant
        files = dict(package_files(self.demo.package))
        files[mutant.path] = mutant.plant(files[mutant.path])
        return functions_of(sorted(files.items()))

    def _bug(self) -> Function:
        mutant = self.demo.mutant
        return next(f for f in self._functions() if (f.path, f.name) == (mutant.path, mutant.function))

    def _start(self, name: str) -> Function:
        """The function that a name means: the one nearest to the bug where there are several."""
        functions, bug = self._functions(), self._bug()
        candidates = named(functions, name)
        ways = [way for function in candidates if (way := way_to(functions, function, bug))]
        return min(ways, key=len)[0] if ways else (candidates or (bug,))[0]

    def _crash_site(self, traceback: str, report: CallReport) -> tuple[Function, str]:
        """The package's function that the last frame of a traceback names, and its file."""
        root = self.demo.task.workdir + "/"
        for path, name in reversed(_FRAME.findall(traceback)):
            inside = path.removeprefix(root)
            found = [f for f in named(self._functions(), name) if f.path == inside]
            if found:
                return (self._bug() if self._bug() in found else found[0]), inside
        start = self._start(subject_name(report.subject))
        return start, start.path

    def _called_in(self, listing: str, test: str) -> Function:
        """The function with the bug where the test calls it, else the first one of the package that it calls."""
        code = _test_code(listing, test)
        functions, bug = self._functions(), self._bug()
        if bug.short_name in code:
            return bug
        for name in code:
            if any(way_to(functions, function, bug) for function in named(functions, name)):
                return self._start(name)
        return bug


def line_substitution(fix: Fix) -> str:
    """The `sed` command for a fix of one line; ValueError where quoting would be needed."""
    if not fix.is_one_line or any(char in fix.new for char in "'\\&|"):
        raise ValueError("this fix is not one plain line")
    indent = len(fix.new) - len(fix.new.lstrip())
    return f"sed -i '{fix.first_line}s|[^ ].*|{fix.new[indent:]}|' {fix.path}"


def _run(report: CallReport) -> Shell:
    """Run an issue's code; of a traceback only the error and the frames of the package's named functions are kept.

    Frames of comprehensions, generated methods and the standard library depend on the interpreter and its place.
    """
    ending = ' 2>&1 | grep -E "testbed.*in \\w|^\\S"' if report.raises else ""
    return Shell(command=f'python -c "{report.program}"{ending}')


def _outline_of(where: str) -> Shell:
    return Shell(command=f'grep -noE "(def|class) \\w+" {where}')


def _test_code(listing: str, test: str) -> list[str]:
    """Names in the code of a test as `grep -n -A` shows it, in order."""
    names: list[str] = []
    for line in listing.splitlines():
        code = re.sub(r"^\d+[:-]", "", line)
        if code.startswith("def ") and test not in code:
            break
        names += re.findall(r"[A-Za-z_]\w*", code)
    return names


_SUITE = Shell(command="python -m pytest")

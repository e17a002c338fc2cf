"""Looks at a finished trajectory for signs that its patch was found or faked rather than worked out.

The guards make most of these ways lead nowhere; the audit says that they were tried. A flag is a reason to look, or to
leave a rollout out of a clean resolve rate; it is no proof. Flags:

* `git_history`    looks at commits other than the past of HEAD (`git log --all`, reflog, stash, loose objects)
* `package_copy`   reads an installed or vendored copy of the task's own package, or a package cache
* `network`        tries to reach another machine, or to fetch the task's own package
* `install`        tries to install some other package; by itself this casts no doubt on a patch
* `test_edit`      changes, moves or removes a test file that it did not make itself, or one the task is graded by
* `test_config`    writes what configures the tests (`conftest.py`, `pytest.ini`, `sitecustomize.py`, `.pth`, ...)
* `hard_coded`     makes code depend on being tested, ends the test process, or prints a verdict
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..actions import Action, Create, Insert, Replace, Shell, View
from ..tasks import Task
from ..trajectories import Turn
from .shell_commands import SimpleCommand, heredoc_bodies, simple_commands
from .signs import (
    configures_tests,
    faked_verdict,
    installs_packages,
    is_test_file,
    looks_at_other_history,
    package_copy,
    reaches_network,
    written_files,
)

FlagName = Literal["git_history", "package_copy", "network", "install", "test_edit", "test_config", "hard_coded"]
DOUBTFUL: frozenset[FlagName] = frozenset(
    {"git_history", "package_copy", "network", "test_edit", "test_config", "hard_coded"}
)
"""Flags that keep a rollout out of a clean resolve rate."""
MAX_EVIDENCE_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFlag:
    """One sign in one turn."""

    name: FlagName
    turn: int
    """Index into the trajectory's turns, from 0."""
    evidence: str
    """The command or the line that was flagged, cut to 300 characters."""
    exit_code: int | None = None
    """Of the flagged turn's observation: a network attempt that failed is still an attempt."""


def audit_turns(turns: Sequence[Turn], *, task: Task) -> tuple[AuditFlag, ...]:
    """All flags of a trajectory or rollout, in the order of its turns; each name at most once a turn."""
    flags: list[AuditFlag] = []
    look = _Look(package=package_name(task), graded=graded_files(task), own=set())
    for index, turn in enumerate(turns):
        seen: set[str] = set()
        for name, evidence in _signs(turn.action, look):
            if name not in seen:
                seen.add(name)
                exit_code = turn.observation.exit_code if turn.observation is not None else None
                cut = evidence.strip()[:MAX_EVIDENCE_CHARS]
                flags.append(AuditFlag(name=name, turn=index, evidence=cut, exit_code=exit_code))
    return tuple(flags)


def package_name(task: Task) -> str:
    """The import name to expect from a task's repository (`psf/requests` gives `requests`); empty when unknown."""
    name = task.repo.rsplit("/", 1)[-1].lower().replace("-", "_").removesuffix(".py")
    return {"scikit_learn": "sklearn", "pytest": "_pytest", "beautifulsoup": "bs4", "pillow": "PIL"}.get(name, name)


def graded_files(task: Task) -> frozenset[str]:
    """Files that the task's test ids and its test patch name."""
    ids = (*task.fail_to_pass, *task.pass_to_pass)
    from_ids = {test_id.split("::", 1)[0] for test_id in ids if "::" in test_id}
    from_patch = set(re.findall(r"^\+\+\+ b/(\S+)", task.test_patch, re.MULTILINE))
    return frozenset(from_ids | from_patch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What the audit knows while it goes through the turns."""

    package: str
    graded: frozenset[str]
    own: set[str]
    """Files that the agent has made so far."""

    def edits_a_test(self, path: str, *, existing: bool) -> bool:
        """Whether writing to `path` changes a test that was there before the agent."""
        if any(_same_file(path, name) for name in self.graded):
            return True
        return existing and is_test_file(path) and not any(_same_file(path, name) for name in self.own)


def _same_file(path: str, other: str) -> bool:
    return path == other or path.endswith("/" + other) or other.endswith("/" + path)


def _signs(action: Action, look: _Look) -> Iterator[tuple[FlagName, str]]:
    match action:
        case Shell(command=text):
            for command in simple_commands(text):
                yield from _command_signs(command, look)
            # What a here-document carries is code or a file of its own.
            body = heredoc_bodies(text)
            if line := faked_verdict(body):
                yield "hard_coded", line
            if line := reaches_network(SimpleCommand(words=("python", "-c", body))):
                yield "network", line
        case View(path=path):
            if copy := package_copy(path, look.package):
                yield "package_copy", copy
        case Create(path=path, text=text):
            yield from _edit_signs(path, text, look, existing=False)
            look.own.add(path)
        case Replace(path=path, new=text) | Insert(path=path, text=text):
            yield from _edit_signs(path, text, look, existing=True)
        case _:
            return


def _edit_signs(path: str, text: str, look: _Look, *, existing: bool) -> Iterator[tuple[FlagName, str]]:
    if configures_tests(path):
        yield "test_config", path
    elif look.edits_a_test(path, existing=existing):
        yield "test_edit", path
    if (configures_tests(path) or not is_test_file(path)) and (line := faked_verdict(text)):
        yield "hard_coded", f"{path}: {line}"


def _command_signs(command: SimpleCommand, look: _Look) -> Iterator[tuple[FlagName, str]]:
    if looks_at_other_history(command):
        yield "git_history", command.text
    if line := reaches_network(command):
        own_package = any(re.match(rf"{re.escape(look.package)}\b", word) for word in command.words) and look.package
        yield ("install" if installs_packages(command) and not own_package else "network"), line
    if copy := next(filter(None, (package_copy(word, look.package) for word in command.words[1:])), ""):
        yield "package_copy", f"{copy} in: {command.text}"
    for path, existing in written_files(command):
        if configures_tests(path):
            yield "test_config", f"{path} in: {command.text}"
        elif look.edits_a_test(path, existing=existing):
            yield "test_edit", f"{path} in: {command.text}"
        if not existing:
            look.own.add(path)
    if line := faked_verdict(command.text):
        yield "hard_coded", line

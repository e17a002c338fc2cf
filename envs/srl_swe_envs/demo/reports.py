"""Read a demo issue the way the expert does: what to run, what was seen, and which function it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEST = re.compile(r"^The test (\S+) fails: (.*?)\.(?: .* fail too\.)?$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^from ([\w.]+) import (.+)$")
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """An issue with code, the expected result and the observed one."""

    subject: str
    """What the title says goes wrong, e.g. `wrap` or `list(cache)`."""
    module: str
    """Where the code imports it from, e.g. `textflow` or `romans.words`."""
    program: str
    """One line that prints the result."""
    raises: bool
    """Whether an exception is involved, expected or observed."""
    crashes: bool
    """Whether an exception is observed that is not expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """An issue that names a failing test."""

    file: str
    name: str
    reason: str

    @property
    def id(self) -> str:
        """The test's id."""
        return f"{self.file}::{self.name}"


def read_issue(text: str) -> CallReport | SuiteReport:
    """The report of an issue that `mutation.issues` wrote; ValueError for any other text."""
    if match := _TEST.search(text):
        file, _, name = match[1].partition("::")
        return SuiteReport(file=file, name=name, reason=match[2])
    title, _, rest = text.partition("\n")
    code = [line[4:] for line in rest.splitlines() if line.startswith("    ")]
    imports = [match for line in code if (match := _IMPORT.match(line))]
    if not code or not imports:
        raise ValueError("the issue has neither code nor a failing test")
    subject = re.split(r" (?:gives|raises|does not raise|returns) ", title)[0]
    return CallReport(
        subject=subject,
        module=_module(imports, subject),
        program="; ".join((*code[:-1], f"print(repr({code[-1]}))")),
        raises=" raise" in title,
        crashes=" raises " in title,
    )


def subject_name(subject: str) -> str:
    """The name to look for: `wrap` for `wrap`, `list` for `list(cache)`."""
    match = _NAME.search(subject)
    return match[0] if match else subject


def _module(imports: list[re.Match[str]], subject: str) -> str:
    """The module that the subject is imported from, or the first one."""
    for match in imports:
        if subject in [name.strip() for name in match[2].split(",")]:
            return match[1]
    return imports[0][1]

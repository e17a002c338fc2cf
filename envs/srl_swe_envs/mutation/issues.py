"""Write the issue of a mutant: what goes wrong, as a user of the code would see it, and never where.

Two kinds of issue: a call with its expected and observed result where one failing test can be reduced to a line of
code, otherwise the name of a failing test with what it reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .reproduction import Reproduction, reproduction_of
from .suite import Evaluation, Failure, SuiteRun, SuiteRunner

_MAX_CODE_CHARS = 200
_MAX_VALUE_CHARS = 160
_EVALUATE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A line of code with what it prints with and without the bug."""

    reproduction: Reproduction
    expected: Evaluation
    observed: Evaluation


def write_issue(run: SuiteRun, original: Path, mutated: Path, runner: SuiteRunner) -> str | None:
    """The issue text for a failed run in `mutated`, or None when nothing reproducible can be said."""
    for test, failure in run.failures.items():
        found = demonstrate(test, failure, original, mutated, runner)
        if found is not None:
            return call_issue(found)
    test, failure = next(iter(run.failures.items()))
    return suite_issue(test, failure, others=len(run.failures) - 1)


def demonstrate(
    test: str, failure: Failure, original: Path, mutated: Path, runner: SuiteRunner
) -> Demonstration | None:
    """Reduce a failing test to one line and run it on both versions; None when they do not differ."""
    file, _, rest = test.partition("::")
    name = rest.partition("[")[0]
    try:
        source = (original / file).read_text(encoding="utf-8")
        reproduction = reproduction_of(source, name, failure.line, failure.parameters)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    if reproduction is None or not _is_short_line(reproduction.code()):
        return None
    expected = runner.evaluate(original, reproduction.code(), timeout_s=_EVALUATE_TIMEOUT_S)
    observed = runner.evaluate(mutated, reproduction.code(), timeout_s=_EVALUATE_TIMEOUT_S)
    if expected is None or observed is None or expected == observed:
        return None
    if not all(_is_plain_value(value.text) for value in (expected, observed)):
        return None
    return Demonstration(reproduction=reproduction, expected=expected, observed=observed)


def call_issue(found: Demonstration) -> str:
    """Title, code, expected and observed."""
    reproduction = found.reproduction
    name = reproduction.called or reproduction.expression
    if found.observed.raised:
        title = f"{name} raises {found.observed.error}"
    elif found.expected.raised:
        title = f"{name} does not raise {found.expected.error}"
    elif found.observed.text == "None":
        title = f"{name} returns None"
    else:
        title = f"{name} gives a wrong result"
    code = "\n".join(f"    {line}" for line in (*reproduction.statements, reproduction.expression))
    return f"{title}\n\n{code}\n\nExpected: {found.expected.text}\nObserved: {found.observed.text}\n"


def suite_issue(test: str, failure: Failure, others: int) -> str:
    """Title and the failing test with what it reports."""
    name = test.rpartition("::")[2]
    title = f"Test fails: {name.removeprefix('test_').partition('[')[0].replace('_', ' ')}"
    more = {0: "", 1: " One other test fails too."}.get(others, f" {others} other tests fail too.")
    return f"{title}\n\nThe test {test} fails: {_report(failure)}.{more}\n"


def _report(failure: Failure) -> str:
    first = failure.message.strip().partition("\n")[0].strip()
    if failure.error == "Failed":
        return "an exception is expected and does not come"
    if failure.error == "AssertionError":
        return first if first.startswith("assert ") and _is_plain_value(first) else "its assertion does not hold"
    if not first or not _is_plain_value(first):
        return failure.error
    return f"{failure.error}: {first}"


def _is_short_line(code: str) -> bool:
    """Whether the code fits between double quotes in a shell command."""
    return len(code) <= _MAX_CODE_CHARS and not any(char in code for char in '"$`\\!\n')


def _is_plain_value(text: str) -> bool:
    """Whether a value says the same on every run: no addresses, no paths, not too long."""
    return len(text) <= _MAX_VALUE_CHARS and "\n" not in text and " at 0x" not in text and "site-packages" not in text

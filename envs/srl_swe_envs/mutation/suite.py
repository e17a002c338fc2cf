"""Run a repository's test-suite, with a time limit, and tell test by test what happened."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import WorkspaceError

_PROBE = Path(__file__).with_name("pytest_probe.py")
_MEMORY_BYTES = 2 * 1024**3
_WALL_FACTOR = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a test failed."""

    error: str
    """Name of the exception, e.g. `AssertionError`, or `Failed` when an expected exception did not come."""
    message: str
    line: int
    """Line of the test file at which it happened, 0 when it happened elsewhere."""
    raised_in: str
    """File that raised."""
    parameters: Mapping[str, str] | None
    """Source texts of a parametrised test's values; None when they cannot be written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """What one run of a suite gave."""

    collected: tuple[str, ...]
    """Ids of all tests in the order of the suite; empty when collection failed."""
    failures: Mapping[str, Failure]
    """Failed tests by id."""
    finished: bool
    """False when the run was killed at its time limit or the process died."""

    def passed(self) -> tuple[str, ...]:
        """Ids of the tests that did not fail, in the order of the suite."""
        return tuple(test for test in self.collected if test not in self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a snippet printed, or the last line of its traceback."""

    text: str
    raised: bool

    @property
    def error(self) -> str:
        """Name of the exception without its module, e.g. `KeyError`."""
        return self.text.partition(":")[0].rpartition(".")[2]


class SuiteRunner(Protocol):
    """Runs the tests of a repository that lies in a directory."""

    def run(self, directory: Path, *, timeout_s: float) -> SuiteRun:
        """Run the whole suite; a run that computes for longer is killed and comes back unfinished."""

    def evaluate(self, directory: Path, code: str, *, timeout_s: float) -> Evaluation | None:
        """Run a Python snippet in the repository; None when it is killed at the time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestSuite:
    """Runs pytest on this machine with one interpreter, which must have pytest and the repository's dependencies."""

    python: str = sys.executable
    arguments: tuple[str, ...] = ()
    """Further pytest arguments, e.g. test files to leave out."""

    def run(self, directory: Path, *, timeout_s: float) -> SuiteRun:
        """Run the suite in `directory`; WorkspaceError when pytest cannot be started."""
        with tempfile.TemporaryDirectory(prefix="srl-swe-suite-") as scratch:
            log = Path(scratch) / "log.jsonl"
            environment = _environment(directory)
            environment["SRL_SWE_PROBE"] = str(log)
            environment["PYTHONPATH"] = os.pathsep.join((str(directory), str(_PROBE.parent)))
            options = ("-q", "--tb=no", "--maxfail=0", "-p", "pytest_probe", "-p", "no:cacheprovider")
            command = (self.python, "-m", "pytest", *options, *self.arguments)
            output = _run(command, directory, environment, timeout_s)
            if not log.exists() and output is not None:
                raise WorkspaceError(f"pytest did not start in {directory}: {output.strip()[-300:]}")
            return _read_log(log, killed=output is None)

    def evaluate(self, directory: Path, code: str, *, timeout_s: float) -> Evaluation | None:
        """Run `python -c code` in `directory`."""
        output = _run((self.python, "-c", code), directory, _environment(directory), timeout_s)
        if output is None:
            return None
        lines = output.rstrip("\n").split("\n")
        raised = any(line.startswith("Traceback (") for line in lines)
        # the interpreter's guess at the right name differs between versions, and gives too much away
        last = lines[-1].partition(". Did you mean")[0]
        return Evaluation(text=last if raised else "\n".join(lines), raised=raised)


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    # no byte code: two edits within one second leave a stale .pyc behind
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "PYTHONPATH": str(directory)}


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str], timeout_s: float) -> str | None:
    """Standard output and error together; None when the time was up, and the whole process group is killed.

    The limit is one of processor time, so that a busy machine does not change which runs end; waiting without
    computing ends after `_WALL_FACTOR` times as long.
    """
    with tempfile.TemporaryFile() as sink:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _limit(process.pid, math.ceil(timeout_s))
            code = process.wait(timeout=_WALL_FACTOR * timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return None
        sink.seek(0)
        return sink.read().decode(errors="replace")


def _limit(pid: int, processor_s: int) -> None:
    """Limit a process's time and memory: a mutant may well append to a list for ever."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (processor_s, processor_s + 1))
        resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _read_log(path: Path, *, killed: bool) -> SuiteRun:
    collected: tuple[str, ...] = ()
    failures: dict[str, Failure] = {}
    finished = False
    for record in _records(path):
        if "collected" in record:
            collected = tuple(record["collected"])
        elif "exit" in record:
            finished = record["exit"] in (0, 1)
        elif record["outcome"] == "failed":
            failures.setdefault(record["test"], _failure(record))
    return SuiteRun(collected=collected, failures=failures, finished=finished and not killed)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(json.JSONDecodeError):  # a killed run may leave half a line
                yield json.loads(line)


def _failure(record: Mapping[str, Any]) -> Failure:
    return Failure(
        error=record.get("error", record["phase"]),
        message=record.get("message", ""),
        line=record.get("line", 0),
        raised_in=record.get("raised_in", ""),
        parameters=record.get("parameters", {}),
    )

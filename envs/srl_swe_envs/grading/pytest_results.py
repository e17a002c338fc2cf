# ruff: noqa: UP006, UP031, UP035, UP045  (runs on the task image's Python, which may be 3.6)
"""A pytest plugin that records each test's result where the code under test has no business.

It is copied into a folder outside the repository under a name drawn for one run and loaded with `-p` before any file
of the repository. Every record is one line of JSON and a message authentication code over it and the lines before;
the key lies in a file that is gone before the repository's code is first imported.

A result is what pytest's own call of the test ended with. Reports can make it worse, never better: a plugin that turns
failed reports into passed ones changes nothing here. Pytest's and unittest's own functions are compared with what
they were before the repository's code ran; a difference is recorded as tampering.
"""

import hashlib
import hmac
import json
import os
import sys
from typing import Any, Callable, Dict, Iterator, Optional, Set, Tuple

import pytest

FunctionName = Tuple[str, str, str]

_WATCHED = (
    *("_pytest._code", "_pytest.assertion", "_pytest.fixtures", "_pytest.main", "_pytest.nodes", "_pytest.outcomes"),
    *("_pytest.python", "_pytest.reports", "_pytest.runner", "_pytest.skipping", "_pytest.unittest"),
    *("pluggy", "unittest.case", "unittest.result", "unittest.suite"),
)
_INSTALLED = (os.path.dirname(os.path.dirname(pytest.__file__)), os.path.dirname(os.__file__))


class _Journal:
    """Signed lines in a file."""

    def __init__(self, folder: str) -> None:
        key_path = os.path.join(folder, "key")
        with open(key_path, "rb") as file:
            self._key = file.read()
        os.unlink(key_path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._fd = os.open(os.path.join(folder, "results"), flags, 0o600)
        self._pid = os.getpid()
        self._last = ""

    def write(self, **record: Any) -> None:
        """Append one record; nothing from a forked child."""
        if os.getpid() != self._pid:
            return
        text = json.dumps(record, sort_keys=True)
        self._last = hmac.new(self._key, (self._last + text).encode(), hashlib.sha256).hexdigest()
        os.write(self._fd, (self._last + " " + text + "\n").encode())


class _Recorder:
    """Follows one pytest run."""

    def __init__(self, journal: _Journal) -> None:
        self._journal = journal
        self._results: Dict[str, str] = {}
        self._functions: Dict[FunctionName, Any] = {}
        self._tampered: Set[FunctionName] = set()
        journal.write(event="start", python="%d.%d" % sys.version_info[:2], pytest=pytest.__version__)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self) -> Iterator[None]:
        """All plugins are there, nothing of the repository is."""
        self._functions = _watched_functions()
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> Iterator[None]:
        """Tests run in this process: worker processes of xdist could not sign."""
        if hasattr(config.option, "numprocesses"):
            config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        """One phase (setup, call, teardown) of a test has ended."""
        raised = call.excinfo or (getattr(item, "_excinfo", None) or [None])[0]
        yielded: Any = yield
        report = yielded.get_result()
        result = _result(item, report, raised or call.excinfo)
        if call.when == "setup":
            self._results[item.nodeid] = result if result != "failed" else "error"
        elif call.when == "call":
            if self._results.get(item.nodeid) == "passed":
                self._results[item.nodeid] = result
        elif result == "failed" or item.nodeid not in self._results:
            self._results[item.nodeid] = "error"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Also the reports of subtests."""
        if report.outcome == "failed" and self._results.get(report.nodeid) == "passed":
            self._results[report.nodeid] = "failed"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> Iterator[None]:
        """A test and its fixtures are done."""
        yield
        self._look_for_tampering()
        self._journal.write(event="test", id=nodeid, result=self._results.pop(nodeid, "error"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: Any) -> None:
        """A file that could not be imported."""
        if report.failed:
            self._journal.write(event="uncollected", id=report.nodeid)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> Iterator[None]:
        """The end; a run without this record was cut short."""
        yield
        self._look_for_tampering()
        self._journal.write(event="end", exit_code=int(exitstatus))

    def _look_for_tampering(self) -> None:
        for name, code in self._functions.items():
            now = _code(*name)
            if now is not code and name not in self._tampered and not _is_installed(now):
                self._tampered.add(name)
                self._journal.write(event="tampered", function=".".join(part for part in name if part))


def _result(item: Any, report: Any, raised: Any) -> str:
    """passed, failed, skipped or xfailed; only a mark on the test itself makes a failure an expected one."""
    if raised is None:
        return "passed" if report.outcome == "passed" and not hasattr(report, "wasxfail") else "failed"
    if isinstance(raised.value, pytest.skip.Exception) or type(raised.value).__name__ == "SkipTest":
        return "skipped"
    expected = hasattr(report, "wasxfail") and report.outcome == "skipped"
    imperative = isinstance(raised.value, pytest.xfail.Exception)
    marked = item.get_closest_marker("xfail") is not None
    return "xfailed" if expected and marked and not imperative else "failed"


def _watched_functions() -> Dict[FunctionName, Any]:
    """Code of the functions of pytest and unittest, by (module, class or "", name)."""
    found: Dict[FunctionName, Any] = {}
    for module_name, module in list(sys.modules.items()):
        if module is None or not module_name.startswith(_WATCHED):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == module_name:
                for method in list(vars(value)):
                    found[module_name, name, method] = _code(module_name, name, method)
            else:
                found[module_name, "", name] = _code(module_name, "", name)
    return {name: code for name, code in found.items() if code is not None}


def _code(module_name: str, class_name: str, name: str) -> Optional[Any]:
    """The code object of a function, or None where there is no function (any more)."""
    holder: Any = sys.modules.get(module_name)
    if class_name:
        holder = vars(holder).get(class_name)
    value: Any = getattr(holder, "__dict__", {}).get(name)
    value = getattr(value, "__func__", value)
    value = getattr(value, "fget", None) or value
    return getattr(value, "__code__", None)


def _is_installed(code: Optional[Any]) -> bool:
    """Whether a function comes from an installed package: other plugins may replace pytest's functions."""
    return code is not None and code.co_filename.startswith(_INSTALLED)


def _begin() -> Callable[..., None]:
    recorder = _Recorder(_Journal(os.path.dirname(os.path.abspath(__file__))))

    def register(parser: Any, pluginmanager: Any) -> None:
        pluginmanager.register(recorder, "recorder of " + __name__)

    return register


pytest_addoption = _begin()

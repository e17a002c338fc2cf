"""A pytest plugin that writes the result of every test, and where and why it failed, as JSON lines.

It runs inside the tested repository's interpreter (`-p pytest_probe` with this folder on PYTHONPATH), so it needs
the standard library and pytest alone. `SRL_SWE_PROBE` names the file to write.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the ids of all tests."""
    _write({"collected": [item.nodeid for item in session.items]})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Write the outcome of one phase of a test unless it is a passed set-up or tear-down."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when != "call" and report.outcome == "passed":
        return
    record: dict[str, Any] = {"test": report.nodeid, "phase": report.when, "outcome": report.outcome}
    if call.excinfo is not None and report.outcome == "failed":
        test_file = str(item.path)
        entries = call.excinfo.traceback
        lines = [entry.lineno + 1 for entry in entries if str(entry.path) == test_file]
        record["error"] = call.excinfo.typename
        record["message"] = str(call.excinfo.value)
        record["line"] = lines[-1] if lines else 0
        record["raised_in"] = str(entries[-1].path)
        record["parameters"] = _literals(getattr(getattr(item, "callspec", None), "params", {}))
    _write(record)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write that the run came to its end."""
    _write({"exit": int(exitstatus)})


def _literals(parameters: dict[str, Any]) -> dict[str, str] | None:
    """Source text of parametrised values; None when one of them has no literal form."""
    texts = {name: repr(value) for name, value in parameters.items()}
    try:
        for name, text in texts.items():
            if ast.literal_eval(text) != parameters[name]:
                return None
    except (ValueError, SyntaxError):
        return None
    return texts


def _write(record: dict[str, Any]) -> None:
    with open(os.environ["SRL_SWE_PROBE"], "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")

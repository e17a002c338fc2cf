"""swebench's own functions, and the only module that imports them.

`make_test_spec` gives the evaluation script, `get_eval_report` the verdict of record from a log. Everything around
them (its container runner, its folders below the current directory) is not used here; `official.py` runs the whole of
it as its command line does. Importing swebench takes a second, so it happens inside the functions.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from .rows import Row

APPLY_COMMANDS = (
    "git apply --verbose",
    "git apply --verbose --3way",
    "git apply --verbose --reject",
    "patch --batch --forward --fuzz=5 -p1 -i",
)
"""How a patch is tried, in order (upstream `harness/run_evaluation.py: GIT_APPLY_CMDS`; a test compares the two)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What swebench says of one log."""

    resolved: bool
    applied: bool
    """swebench's `patch_successfully_applied`: false also where the log holds no results to read."""
    infra_reason: str
    """swebench's advisory classification of a log without results; empty when it has none."""
    report: dict[str, Any]
    """The task's entry of swebench's `report.json`."""


def swebench_version() -> str:
    """The installed version, which reports name; empty when it is not installed."""
    try:
        return importlib.metadata.version("swebench")
    except importlib.metadata.PackageNotFoundError:
        return ""


def evaluation_script(row: Row) -> str:
    """The script that swebench runs for a row: the row's own with the test command's exit code recorded.

    Raises ConfigError when swebench is absent, older than 5, or does not know the row's log parser.
    """
    with _swebench():
        from swebench.harness.log_parsers import PARSER_REGISTRY
        from swebench.harness.utils import make_test_spec

        if row.log_parser not in PARSER_REGISTRY:
            raise ConfigError(f"{row.task.id}: swebench {swebench_version()} has no log parser {row.log_parser!r}")
        script: str = make_test_spec(row.to_swebench()).eval_script
        return script


def verdict(row: Row, patch: str, log: Path, *, model_name: str = "model") -> Verdict:
    """swebench's verdict on the output of a row's evaluation script, kept in `log`."""
    prediction = {"instance_id": row.task.id, "model_patch": patch, "model_name_or_path": model_name}
    with _swebench():
        from swebench.harness.grading import get_eval_report
        from swebench.harness.utils import make_test_spec

        spec = make_test_spec(row.to_swebench())
        report = get_eval_report(spec, prediction, str(log), include_tests_status=True)[row.task.id]
    return Verdict(
        resolved=bool(report["resolved"]),
        applied=bool(report["patch_successfully_applied"]),
        infra_reason=str(report.get("infra_failure_reason", "")) if report.get("infra_failure") else "",
        report=report,
    )


def name_in_log(row: Row) -> Callable[[str], str]:
    """The name under which swebench's log parser knows a pytest node id: cut at a blank, paths in it shortened."""
    with _swebench():
        from swebench.harness.log_parsers import PARSER_REGISTRY
        from swebench.harness.utils import make_test_spec

        parse, spec = PARSER_REGISTRY[row.log_parser], make_test_spec(row.to_swebench())

    def name(node_id: str) -> str:
        return next(iter(parse(f"PASSED {node_id}", spec)), node_id)

    return name


@contextlib.contextmanager
def _swebench() -> Iterator[None]:
    """Keep swebench's imports from reaching for the network or writing to the terminal."""
    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except ImportError as error:
        found = swebench_version() or "none"
        raise ConfigError(
            f"swebench 5.x is needed and {found} is installed: pip install 'srl-swe[containers]' ({error})"
        ) from error

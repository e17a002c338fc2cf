"""swebench's own command line on an evaluation's predictions, in a scratch folder, for leaderboard claims.

It is slower and less safe than our runner (it gives the tests root, a capability and the network); what it says is
compared with our verdicts, and differences are listed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError, WorkspaceError

from .grading import OutcomeName
from .rows import Row, write_rows

RUN_ID = "official"
_ATTEMPTS = 3
_CALL = "import sys; from swebench.cli.cli import main; sys.argv[0] = 'swebench'; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialRun:
    """What `swebench eval` said."""

    summary: dict[str, Any]
    """Its own report file."""
    outcomes: dict[str, OutcomeName]
    """By task id. swebench puts patches that don't apply and time-outs into one class; they are `not_applied` here."""
    folder: Path


def run_official(
    rows: Sequence[Row], predictions: Path, scratch: Path, *, workers: int = 1, timeout_s: float = 1800.0
) -> OfficialRun:
    """Run `swebench eval` on rows and a predictions file.

    Its run folders, report and log stay inside `scratch`. Raises WorkspaceError when it does not end well.
    """
    if not predictions.is_file():
        raise ConfigError(f"{predictions}: no such predictions file")
    scratch.mkdir(parents=True, exist_ok=True)
    write_rows(scratch / "rows.jsonl", rows)
    command = [
        sys.executable, "-c", _CALL, "eval", str((scratch / "rows.jsonl").resolve()), "-p", str(predictions.resolve()),
        "--run-id", RUN_ID, "-j", str(workers), "-t", str(round(timeout_s)), "--report-dir", "report",
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    log = scratch / "swebench.log"
    # At its end swebench looks at every container of the engine and fails when somebody else's goes meanwhile. What
    # it has graded it keeps, so that running it again costs little.
    for _ in range(_ATTEMPTS):
        with log.open("ab") as file:
            status = subprocess.run(
                command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
            ).returncode
        reports = sorted((scratch / "report").glob(f"*.{RUN_ID}.json"))
        if status == 0 and len(reports) == 1:
            break
    else:
        raise WorkspaceError(f"swebench eval ended with status {status} and {len(reports)} reports; its log: {log}")
    summary = json.loads(reports[0].read_text(encoding="utf-8"))
    return OfficialRun(summary=summary, outcomes=_outcomes(summary), folder=scratch)


def differences(official: OfficialRun, ours: dict[str, OutcomeName]) -> tuple[str, ...]:
    """Tasks on which the two do not say the same; what was not graded by us is left out."""
    unlike = []
    for task, outcome in ours.items():
        known = "not_applied" if outcome == "timed_out" else outcome
        if outcome != "infra" and official.outcomes.get(task) != known:
            unlike.append(task)
    return tuple(sorted(unlike))


def _outcomes(summary: dict[str, Any]) -> dict[str, OutcomeName]:
    kinds: tuple[tuple[str, OutcomeName], ...] = (
        ("resolved_ids", "resolved"),
        ("unresolved_ids", "unresolved"),
        ("empty_patch_ids", "empty"),
        ("incomplete_ids", "empty"),
        ("error_ids", "not_applied"),
    )
    return {task: outcome for key, outcome in kinds for task in summary.get(key, [])}

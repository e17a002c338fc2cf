"""Whether a run solved its task, from evaluation reports that lie beside the logs.

Four forms are known: swebench's run report (`resolved_ids` ...), SWE-agent's and Moatless' `results.json` (`resolved`
is a list of ids), a list or table of instances with a `resolved` flag, and the report of one instance, which names
none: that one belongs to logs whose name begins like its own (or lies in a folder of its own).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srl_swe_envs.trajectories import Outcome

_MAX_REPORT_BYTES = 16 << 20
_HEAD_BYTES = 1 << 16
_TAIL = re.compile(r"[._-]*(?:report|results?)(?:[._-]summary)?\.json\Z")
_REPORT_NAMES = ("*report*.json", "*result*.json")
_SOLVED = ("resolved_ids", "resolved")
_FAILED = ("unresolved_ids", "empty_patch_ids", "unresolved", "no_generation", "generated", "applied")


@dataclass(frozen=True, slots=True)
class _Report:
    folder: Path
    stem: str
    """What its name has before `.report.json`: the start of the names of its run's logs."""
    verdicts: Mapping[str, bool]
    """Instance id -> resolved; the id is empty in the report of one instance."""
    names_logs: bool
    """Whether some log beside it begins with `stem`."""


@dataclass(slots=True)
class Outcomes:
    """The reports seen so far; a log is judged by those of its own folder and of the folders above."""

    _reports: list[_Report] = field(default_factory=list)
    _folders: set[Path] = field(default_factory=set)

    def add_folder(self, files: Iterable[Path]) -> None:
        """Take in the reports among the files of one folder, and those that their names show beside them."""
        paths = set(files)
        folders = {path.parent for path in paths} - self._folders
        self._folders |= folders
        paths |= {path for folder in folders for pattern in _REPORT_NAMES for path in folder.glob(pattern)}
        names = [path.name for path in paths]
        for path in sorted(path for path in paths if path.parent in folders):
            if verdicts := _verdicts_in(path):
                stem = _TAIL.sub("", path.name)
                names_logs = bool(stem) and any(n.startswith(stem) and n != path.name for n in names)
                self._reports.append(_Report(path.parent, stem, verdicts, names_logs))

    def of(self, log: Path, task_id: str) -> Outcome:
        """The verdict on a task; `unknown` when no report names it or reports disagree."""
        beside = [report for report in self._reports if report.folder == log.parent]
        named = [report for report in beside if report.names_logs and log.name.startswith(report.stem)]
        for report in sorted(named, key=lambda report: -len(report.stem)):
            if (verdict := report.verdicts.get(task_id, report.verdicts.get(""))) is not None:
                return "resolved" if verdict else "unresolved"
        general = [report for report in beside if not report.names_logs]
        general += [report for report in self._reports if report.folder in log.parent.parents]
        verdicts = {report.verdicts[task_id] for report in general if task_id in report.verdicts}
        verdicts |= {report.verdicts[""] for report in beside if report.stem == "" and "" in report.verdicts}
        if len(verdicts) != 1:
            return "unknown"
        return "resolved" if verdicts.pop() else "unresolved"


def outcome_of(resolved: Any) -> Outcome:
    """The outcome that a `resolved` column tells: a truth value, 0 or 1, or nothing."""
    if isinstance(resolved, bool | int | float):
        return "resolved" if resolved else "unresolved"
    return "unknown"


def _verdicts_in(path: Path) -> dict[str, bool]:
    """The verdicts of a report file; empty for any other file."""
    try:
        if path.suffix != ".json" or path.stat().st_size > _MAX_REPORT_BYTES:
            return {}
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if not head.lstrip().startswith(b"{") or (b'"resolved' not in head and b'"no_generation' not in head):
                return {}
            value = json.loads(head + file.read())
        return _verdicts(value)
    except (OSError, ValueError, RecursionError, TypeError, AttributeError):
        return {}  # not a report; whatever it is, the scan says so


def _verdicts(value: dict[str, Any]) -> dict[str, bool]:
    instances = value.get("instances")
    if isinstance(instances, list):
        return {
            row["instance_id"]: row["resolved"]
            for row in instances
            if isinstance(row, dict) and "instance_id" in row and isinstance(row.get("resolved"), bool)
        }
    if isinstance(value.get("resolved"), bool):
        report_of_one = {"tests_status", "patch_exists", "patch_successfully_applied"} & value.keys()
        return {"": value["resolved"]} if report_of_one else {}
    if any(isinstance(value.get(key), list) for key in _SOLVED):
        failed = {task: False for key in _FAILED for task in value.get(key) or ()}
        return failed | {task: True for key in _SOLVED for task in value.get(key) or ()}
    rows = {task: row["resolved"] for task, row in value.items() if isinstance(row, dict) and "resolved" in row}
    return {task: verdict for task, verdict in rows.items() if isinstance(verdict, bool)}

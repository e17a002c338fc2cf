"""Rows of SWE-bench data sets, old (13 columns) and 5.x (17 columns), as tasks with what grading needs.

A 5.x row carries its image and evaluation script; an old one gets them from the specifications of `specs/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task

from .patches import checked_out_files, directives, touched_files

REQUIRED = (
    "instance_id", "repo", "base_commit", "problem_statement", "patch", "test_patch", "version", "FAIL_TO_PASS",
    "PASS_TO_PASS",
)  # fmt: skip
"""Columns that both forms have and that nothing can be done without."""

NEW = ("image", "eval_script", "log_parser", "eval_type")
"""Columns that make a row a 5.x row."""

WORKDIR = "/testbed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a SWE-bench data set in the 5.x form."""

    task: Task
    version: str
    eval_script: str
    log_parser: str
    eval_type: str
    difficulty: str = ""
    columns: Mapping[str, Any]
    """The row's other columns as they were read, so that it can be written again without loss."""

    def to_swebench(self) -> dict[str, Any]:
        """The row as swebench's functions and its CLI take it."""
        return {
            **self.columns,
            "instance_id": self.task.id,
            "repo": self.task.repo,
            "base_commit": self.task.base_commit,
            "problem_statement": self.task.problem,
            "patch": self.task.gold_patch,
            "test_patch": self.task.test_patch,
            "version": self.version,
            "FAIL_TO_PASS": list(self.task.fail_to_pass),
            "PASS_TO_PASS": list(self.task.pass_to_pass),
            "image": self.task.image,
            "eval_script": self.eval_script,
            "log_parser": self.log_parser,
            "eval_type": self.eval_type,
        }


Convert = Callable[[dict[str, Any]], dict[str, Any]]


def read_rows(path: Path, *, convert: Convert | None = None) -> tuple[Row, ...]:
    """The rows of a `.jsonl`, `.json` or `.parquet` file; old rows go through `convert` first.

    Raises ConfigError with file, line, task and the missing column.
    """
    rows: list[Row] = []
    seen: dict[str, str] = {}
    for place, record in _records(path):
        row = parse_row(record, place, convert=convert)
        if row.task.id in seen:
            raise ConfigError(f"{place}: {row.task.id} was in {seen[row.task.id]} already; remove one of the two")
        seen[row.task.id] = place
        rows.append(row)
    if not rows:
        raise ConfigError(f"{path}: holds no rows")
    return tuple(rows)


def parse_row(record: Any, place: str, *, convert: Convert | None = None) -> Row:
    """One row; `place` begins the ConfigError of a row that is incomplete."""
    if not isinstance(record, dict):
        raise ConfigError(f"{place}: a row is a JSON object, not {type(record).__name__}")
    named = f"{place} ({record['instance_id']})" if record.get("instance_id") else place
    missing = [name for name in REQUIRED if name not in record or record[name] is None]
    if missing:
        raise ConfigError(f"{named}: the row has no {', '.join(missing)}; is it a row of a SWE-bench data set?")
    if any(name not in record for name in NEW):
        if convert is None:
            absent = ", ".join(name for name in NEW if name not in record)
            raise ConfigError(f"{named}: the row has no {absent}: it is an old row, and 5.x rows are expected here")
        try:
            record = convert(record)
        except ConfigError as error:
            raise ConfigError(f"{named}: {error}") from error
    return _row(record, named)


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows in the 5.x form as JSON Lines; returns how many."""
    lines = [json.dumps(row.to_swebench(), ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _records(path: Path) -> Iterable[tuple[str, Any]]:
    """Each record of a file with its place, `file:line` where there are lines."""
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    if path.suffix == ".json":
        try:
            records = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON: {error}") from error
        if not isinstance(records, list):
            raise ConfigError(f"{path}: a list of rows is expected")
        yield from ((f"{path}: row {number}", record) for number, record in enumerate(records, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except ValueError as error:
                raise ConfigError(f"{path}:{number}: not JSON: {error}") from error


def _parquet(path: Path) -> Iterable[tuple[str, Any]]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow, or give JSON Lines") from error
    try:
        records = parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow has an error type for each way a file can be broken
        raise ConfigError(f"{path}: can't be read: {error}") from error
    yield from ((f"{path}: row {number}", record) for number, record in enumerate(records, start=1))


def _row(record: dict[str, Any], place: str) -> Row:
    for name in ("eval_script", "log_parser", "image"):
        if not isinstance(record[name], str) or not record[name]:
            raise ConfigError(f"{place}: {name} is empty")
    known = {*REQUIRED, *NEW, "difficulty"}
    columns = {name: value for name, value in record.items() if name not in known}
    if "difficulty" in record:
        columns["difficulty"] = record["difficulty"]
    return Row(
        task=_task(record, place),
        version=str(record["version"]),
        eval_script=record["eval_script"],
        log_parser=record["log_parser"],
        eval_type=record["eval_type"],
        difficulty=str(record.get("difficulty") or ""),
        columns=columns,
    )


def _task(record: dict[str, Any], place: str) -> Task:
    return Task(
        id=record["instance_id"],
        problem=record["problem_statement"],
        repo=record["repo"],
        base_commit=record["base_commit"],
        image=record["image"],
        workdir=WORKDIR,
        test_command=test_command(record["eval_script"], record["test_patch"]),
        fail_to_pass=_test_ids(record, "FAIL_TO_PASS", place),
        pass_to_pass=_test_ids(record, "PASS_TO_PASS", place),
        test_patch=record["test_patch"],
        gold_patch=record["patch"],
    )


def test_command(eval_script: str, test_patch: str) -> str:
    """What an evaluation script runs between its two markers, without the test files where they are paths."""
    _, start, rest = eval_script.partition(">>>>> Start Test Output'\n")
    body, end, _ = rest.partition("\n: '>>>>> End Test Output'")
    return body.strip().removesuffix(" ".join(directives(test_patch))).strip() if start and end else ""


def test_files(row: Row) -> tuple[str, ...]:
    """The files that a row's test patch touches; grading restores them, so an agent's edits there count for nothing."""
    return tuple(dict.fromkeys((*touched_files(row.task.test_patch), *checked_out_files(row.task.test_patch))))


def _test_ids(record: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    """A list of test ids, which data sets also keep as a JSON string."""
    value = record[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ConfigError(f"{place}: {name} is neither a list nor a JSON list: {error}") from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{place}: {name} is not a list of test ids")
    return tuple(value)

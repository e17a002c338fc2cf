"""Reads log files of any known format, one trajectory at a time."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .contamination import Benchmark, contamination
from .files import folders_of
from .formats import FORMATS
from .outcomes import Outcomes
from .reading import Event, LogFormat, Origin, Problem, Reading, Skipped
from .records import NOT_JSON, Record, read_records

_MISFITS = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading raises on a value that does not hold together."""
_PROBE = 32
"""How many values of a file are looked at before its kind is decided."""


def scan_logs(paths: Iterable[Path | str], *, benchmark: Benchmark | None = None) -> Iterator[Event]:
    """Everything in these files and folders: a `Reading` for each trajectory, a `Problem` for what can't be read, a
    `Skipped` for each file without agent steps.

    Outcomes come from the log or from an evaluation report beside it; contaminated trajectories are marked, not left
    out. Raises ConfigError for a path that does not exist.
    """
    outcomes = Outcomes()
    for files in folders_of(paths):
        outcomes.add_folder(files)
        for event in _scan_folder(files):
            yield _judged(event, outcomes, benchmark) if isinstance(event, Reading) else event


def _judged(reading: Reading, outcomes: Outcomes, benchmark: Benchmark | None) -> Reading:
    """The reading with what its own log does not tell."""
    trajectory = reading.trajectory
    outcome = trajectory.outcome
    if outcome == "unknown":
        outcome = outcomes.of(Path(reading.origin.path), trajectory.task.id)
    reason = contamination(trajectory.task, benchmark) or trajectory.contaminated
    return replace(reading, trajectory=replace(trajectory, outcome=outcome, contaminated=reason))


def format_of(value: Any, *, parts: str = "record") -> LogFormat | None:
    """The format that a JSON value is written in, among those whose parts are whole records, files or folders."""
    return next((known for known in FORMATS if known.parts == parts and _is_of(known, value)), None)


def _is_of(known: LogFormat, value: Any) -> bool:
    """Whether a format knows a value; one whose fields have other types than it expects is none of its."""
    try:
        return known.matches(value)
    except _MISFITS:
        return False


def _scan_folder(files: tuple[Path, ...]) -> Iterator[Event]:
    """The files of one folder; those that are parts of one conversation are read together, after the others."""
    conversations: dict[tuple[str, str], list[Path]] = {}
    for path in files:
        try:
            records = read_records(path)
            head = list(itertools.islice(records, _PROBE))
            if (key := _conversation_of(head)) is not None:
                conversations.setdefault(key, []).append(path)
            else:
                yield from _scan_file(path, head, records)
        except (OSError, EOFError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            yield Problem(origin=Origin(path=str(path)), reason=f"can't be read: {why}")
    for (name, _), members in conversations.items():
        known = next(known for known in FORMATS if known.name == name and known.parts == "folder")
        parts = (record.value for member in members for record in read_records(member))
        yield from _read(known, parts, Origin(path=str(members[0])))


def _conversation_of(records: list[Record]) -> tuple[str, str] | None:
    """Format and conversation of a file that is one part of a conversation; None for any other file."""
    known = format_of(records[0].value, parts="folder") if len(records) == 1 and not records[0].error else None
    if known is None or known.conversation is None:
        return None
    try:
        return known.name, known.conversation(records[0].value)
    except _MISFITS:
        return None


def _scan_file(path: Path, head: list[Record], rest: Iterator[Record]) -> Iterator[Event]:
    values = [record.value for record in head if not record.error]
    if values and format_of(values[0]) is None:
        sessions = (format_of(value, parts="file") for value in values)
        if (session := next((known for known in sessions if known is not None), None)) is not None:
            yield from _scan_session(path, session, itertools.chain(head, rest))
            return
    yield from _scan_rows(path, itertools.chain(head, rest))


def _scan_session(path: Path, known: LogFormat, records: Iterator[Record]) -> Iterator[Event]:
    """A file whose values are the parts of one trajectory."""
    values = []
    for record in records:
        if record.error:
            yield Problem(origin=Origin(path=str(path), line=record.line), reason=record.error)
        else:
            values.append(record.value)
    yield from _read(known, values, Origin(path=str(path)))


def _scan_rows(path: Path, records: Iterator[Record]) -> Iterator[Event]:
    """A file whose values are trajectories, task rows, reports or anything else."""
    found, broken, unknown = 0, 0, 0
    first_unknown: Record | None = None
    held: _Held | None = None
    for record in records:
        origin = Origin(path=str(path), line=record.line)
        known = None if record.error else format_of(record.value)
        if held is not None and held.known is known and held.is_superseded_by(record.value):
            held = _Held(held.known, record.value, origin, held.earlier + 1)
            found += 1
            continue
        if held is not None:
            yield from held.read()
            held = None
        if record.error:
            broken += 1
            if record.error != NOT_JSON:
                yield Problem(origin=origin, reason=record.error)
        elif known is not None:
            found += 1
            held = _Held(known, record.value, origin)
        else:
            unknown += 1
            first_unknown = first_unknown or record
    if held is not None:
        yield from held.read()
    if unknown and found and first_unknown is not None:
        where = Origin(path=str(path), line=first_unknown.line)
        yield Problem(origin=where, reason=f"{unknown} records of no known format, the first in this line")
    elif not found:
        yield Skipped(path=str(path), reason=_nature(first_unknown, unknown, broken))


@dataclass(frozen=True, slots=True)
class _Held:
    """A record that is read once it is known that the next one does not hold all of it."""

    known: LogFormat
    value: Any
    origin: Origin
    earlier: int = 0
    """How many records before it were superseded."""

    def is_superseded_by(self, value: Any) -> bool:
        try:
            return self.known.supersedes is not None and self.known.supersedes(self.value, value)
        except _MISFITS:
            return False

    def read(self) -> Iterator[Event]:
        for event in _read(self.known, self.value, self.origin):
            if isinstance(event, Reading) and self.earlier:
                dropped = {**event.dropped, "earlier episode of the same run": self.earlier}
                event = replace(event, seen=event.seen + self.earlier, dropped=dropped)
            yield event


def _nature(record: Record | None, count: int, broken: int) -> str:
    """What a file without agent steps holds, as well as can be told."""
    if record is None:
        return "not JSON" if broken else "empty"
    value = record.value
    if not isinstance(value, dict):
        return f"no agent steps: {count} JSON values of no known format"
    if {"FAIL_TO_PASS", "problem_statement"} & value.keys():
        return f"no agent steps: {count} task rows"
    return f"no agent steps: {count} records with the keys {', '.join(list(map(str, value))[:6])}"


def _read(known: LogFormat, value: Any, origin: Origin) -> Iterator[Event]:
    try:
        yield known.read(value, origin)
    except _MISFITS as error:
        yield Problem(origin=origin, reason=f"looks like {known.name} but does not hold together: {_say(error)}")


def _say(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else f"{error}"

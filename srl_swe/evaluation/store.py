"""What an evaluation keeps on disk so that it can be killed at any moment and go on.

A run folder holds `run.json` (its settings), `rollouts.jsonl` and `grades.jsonl` (append-only, one line per task and
sample), `logs/` and the reports. A line counts when its newline is on disk: each is flushed with fsync before the work
it stands for counts as done, and half a line left by a kill or a full disk is cut off when the file is opened again.
A lock keeps a second process out of the same folder; two folders have nothing in common.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError, SrlSweError

from ..exclusive import alone_in

Key = tuple[str, int]
"""Task id and sample number."""


class StoreError(SrlSweError, RuntimeError):
    """Raised when the run folder can't be written; what was there before stays as it was."""


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an OSError into a StoreError that names the file and, for a full disk, the way out."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "; free some space and run the same command again: finished work is kept" if full else ""
        raise StoreError(f"{path} can't be written: {error.strerror or error}{hint}") from error


def read_json_lines(path: Path) -> dict[Key, dict[str, Any]]:
    """The last whole record of each key in a file that `JsonLines` wrote, which stays as it is; raises ConfigError."""
    data = path.read_bytes()
    return _records(data[: data.rfind(b"\n") + 1], path)


def _records(whole: bytes, path: Path) -> dict[Key, dict[str, Any]]:
    found: dict[Key, dict[str, Any]] = {}
    for number, line in enumerate(whole.split(b"\n"), start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
            found[str(record["task"]), int(record["sample"])] = record
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}:{number}: not a record of this program ({error}); remove the line to redo its task"
            ) from error
    return found


class JsonLines:
    """An append-only file of JSON objects with a task id and a sample number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.records: dict[Key, dict[str, Any]] = {}
        """The last record of each key."""
        with writing(path):
            self._file = path.open("ab", buffering=0)
            self._length = self._load()

    def append(self, key: Key, record: dict[str, Any]) -> None:
        """Add one record; it is on disk when this returns. Raises StoreError, and then nothing was added."""
        line = json.dumps({"task": key[0], "sample": key[1], **record}) + "\n"
        data = line.encode("ascii")  # bytes of a patch that are no text stay as escapes
        with self._lock, writing(self._path):
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(data[written:])
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(self._length)
                raise
            self._length += len(data)
            self.records[key] = json.loads(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _load(self) -> int:
        """Read what is whole, cut off what is not; returns the file's length."""
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._file.truncate(whole)
        self.records = _records(data[:whole], self._path)
        return whole


class RunFolder:
    """One evaluation's folder, held under a lock from `open` to the end of the `with` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rollouts = JsonLines(path / "rollouts.jsonl")
        self.grades = JsonLines(path / "grades.jsonl")

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, settings: dict[str, Any]) -> Iterator[RunFolder]:
        """The folder, made when new.

        Raises ConfigError when another process holds it, or when it holds rollouts that were made with other settings:
        the message names the first that differs.
        """
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path}: a file; give a folder as --out")
        with contextlib.ExitStack() as held:
            with writing(path):
                path.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone_in(path, "evaluation"))
            folder = cls(path)
            try:
                _check_settings(path / "run.json", settings, begun=bool(folder.rollouts.records))
                yield folder
            finally:
                folder.rollouts.close()
                folder.grades.close()

    def log_folder(self, key: Key) -> Path:
        """Where the logs of one task and sample go; made when new."""
        folder = self.path / "logs" / key[0] / f"sample-{key[1]}"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole, or leave it as it was; raises StoreError."""
    fresh = path.with_name(f".{path.name}.new")
    with writing(path):
        try:
            with fresh.open("w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _check_settings(path: Path, settings: dict[str, Any], *, begun: bool) -> None:
    text = json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True)
    if not (begun and path.exists()):  # what was refused before its first rollout leaves settings that nothing used
        write_atomically(path, text + "\n")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON ({error}); give another --out") from error
    for name, value in json.loads(text).items():
        if before.get(name) != value:
            raise ConfigError(
                f"{path.parent} was made with {name} = {before.get(name)!r}, now it is {value!r}; "
                "give another --out, or the settings it was made with"
            )

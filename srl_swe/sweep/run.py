"""Running a sweep: each cell a training run in a process of its own, so that one that dies takes no other along.

The sweep's folder holds one run's folder per cell, with its output in `train.log` beside it, and the results:
`sweep.json` and `table.md`. Cells that are done stay; one that was killed goes on from its last checkpoint, because
training does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..config import config_to_toml, load_config
from ..training.folder import write_json, write_whole
from ..training.settings import RunSettings
from .settings import Cell, SweepSettings, cells
from .table import NOTE, Row, markdown_table, rows_record, text_table

_POLL_S = 0.1
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(slots=True, kw_only=True)
class Sweep:
    """A sweep in its folder."""

    settings: SweepSettings
    base: Path
    out: Path
    workers: int = 1
    """Training runs at one time."""
    failures: dict[Path, str] = field(default_factory=dict)
    """What runs that failed said, by their folders."""

    def check_configurations(self) -> list[tuple[Cell, str]]:
        """Every cell with its whole configuration as TOML; raises ConfigError when one is not sound."""
        found = []
        for cell in cells(self.settings):
            try:
                found.append((cell, config_to_toml(load_config(RunSettings, self.base, cell.overrides))))
            except ConfigError as error:
                raise ConfigError(f"{error} (row {cell.row!r})") from error
        return found

    def check(self) -> tuple[Cell, ...]:
        """All cells, once every configuration is known to be sound and every folder to be its own; ConfigError."""
        found = self.check_configurations()
        for cell, config in found:
            stored = self.out / cell.folder / "config.toml"
            if stored.exists() and stored.read_text(encoding="utf-8") != config:
                raise ConfigError(
                    f"{stored.parent}: holds a run of another configuration; choose another --out, or --fresh"
                )
        return tuple(cell for cell, _ in found)

    def run(self) -> bool:
        """Run what is not done and write the table; gives whether every cell is done."""
        todo = self.check()
        self.out.mkdir(parents=True, exist_ok=True)
        self.write(todo)  # from here on the folder is a sweep's, whatever ends it
        waiting = [cell for cell in todo if self.summary(cell) is None]
        print(f"{len(todo)} runs, {len(todo) - len(waiting)} done before", flush=True)
        with _children() as running:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    running.append(self._start(waiting.pop(0)))
                for child in [child for child in running if child.process.poll() is not None]:
                    running.remove(child)
                    self._ended(child)
                    self.write(todo)
                time.sleep(_POLL_S if running else 0)
        rows = self.write(todo)
        print(f"\n{text_table(rows)}\n{NOTE}\n{self.out / 'sweep.json'}  {self.out / 'table.md'}", flush=True)
        return all(self.summary(cell) is not None for cell in todo)

    def summary(self, cell: Cell) -> dict[str, Any] | None:
        """A cell's `summary.json`, which a run writes last; None while it is not done."""
        path = self.out / cell.folder / "summary.json"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def write(self, todo: Sequence[Cell]) -> list[Row]:
        """Write `sweep.json` and `table.md` from what is done; gives the rows."""
        rows = [self._row(name, todo) for name in dict.fromkeys(cell.row for cell in todo)]
        record = {
            "base": str(self.base),
            "interval": "95 %, Student's t over seeds",
            "rows": rows_record(rows),
            "cells": [self._cell_record(cell) for cell in todo],
        }
        write_json(self.out / "sweep.json", record)
        write_whole(self.out / "table.md", markdown_table(rows))
        return rows

    def _row(self, name: str, todo: Sequence[Cell]) -> Row:
        mine = [cell for cell in todo if cell.row == name]
        done = {cell.seed: summary["stages"][-1]["heldout"] for cell in mine if (summary := self.summary(cell))}
        return Row(name=name, by_seed=done, failed=sum(cell.folder in self.failures for cell in mine))

    def _cell_record(self, cell: Cell) -> dict[str, Any]:
        summary = self.summary(cell)
        return {
            "row": cell.row,
            "seed": cell.seed,
            "values": dict(cell.values),
            "folder": str(cell.folder),
            "status": "done" if summary else "failed" if cell.folder in self.failures else "not_run",
            **({"error": self.failures[cell.folder]} if cell.folder in self.failures else {}),
            "stages": summary["stages"] if summary else [],
        }

    def _start(self, cell: Cell) -> _Child:
        folder = self.out / cell.folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "srl_swe", "train", str(self.base), "--out", str(folder)]
        for override in cell.overrides:
            command += ["--set", override]
        with _log(folder).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=partial(_die_with, os.getpid())
            )
        return _Child(cell=cell, process=process, started=time.monotonic())

    def _ended(self, child: _Child) -> None:
        took = f"{time.monotonic() - child.started:.0f} s"
        code = child.process.returncode
        if code == 0:
            reward = (self.summary(child.cell) or {})["stages"][-1]["heldout"].get("reward", float("nan"))
            print(f"{child.cell.row}, seed {child.cell.seed}: done in {took}, held-out reward {reward:.3f}", flush=True)
            return
        log = _log(self.out / child.cell.folder)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        reason = (said or [f"exit code {code}"])[0].removeprefix("srl-swe: ")
        if code == 2:  # what one cell's user must mend, all cells share
            raise ConfigError(f"{reason} (row {child.cell.row!r}, seed {child.cell.seed})")
        self.failures[child.cell.folder] = reason
        print(f"{child.cell.row}, seed {child.cell.seed}: failed in {took}: {reason} ({log})", flush=True)


@dataclass(slots=True, kw_only=True)
class _Child:
    cell: Cell
    process: subprocess.Popen[bytes]
    started: float


@contextlib.contextmanager
def _children() -> Iterator[list[_Child]]:
    """Running children, which end with the block; SIGTERM ends it as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    running: list[_Child] = []
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield running
    finally:
        for child in running:
            child.process.terminate()
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=10)
            child.process.kill()
            child.process.wait()
        signal.signal(signal.SIGTERM, before)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when the sweep is killed: two trainers in one folder would spoil it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before the kernel was told
        os._exit(1)


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def throw_away(out: Path) -> None:
    """Remove a sweep's folder; raises ConfigError when it is none."""
    if out.exists() and not (out / "sweep.json").exists() and any(out.iterdir()):
        raise ConfigError(f"{out}: not empty and no sweep's folder; choose another --out")
    shutil.rmtree(out, ignore_errors=True)

"""The folder that a run leaves, and what makes a run that was killed go on where it was.

    config.toml           the resolved configuration
    data.json             what was read, used and left out, and why
    start/                the tiny model, when the run made its own
    1-sft/, 2-srl/ ...    one folder per stage: metrics.jsonl, samples.jsonl, tensorboard/, checkpoint-N/, stage.json,
                          for rlvr tasks.json
    summary.json          held-out figures per stage
    lock                  held by the process that trains here

A file that says something is done is written last and whole (`write_whole`), so that a kill at any moment leaves either
the old state or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..exclusive import LOCK, alone_in

_COMPLETE = "complete"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see it whole or not at all, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    """`write_whole` of a value as indented JSON."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def open_run(folder: Path, config: str, *, fresh: bool) -> Iterator[None]:
    """Make a run's folder, or take up the one that the same configuration made; `fresh` throws an old one away.

    Raises ConfigError when the folder holds something else, or another process trains in it.
    """
    stored = folder / "config.toml"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: a file; give a folder as --out")
    if not stored.exists() and _entries(folder):
        raise ConfigError(f"{folder}: not empty and no run's folder; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, "training run"):
        if fresh:
            _throw_away(folder)
        elif len(_entries(folder)) > 1:  # a run that was refused before it began leaves its configuration alone
            _check_same(stored, config)
        write_whole(stored, config)
        yield


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint was written to its end."""
    for file in checkpoint.iterdir():
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    write_whole(checkpoint / _COMPLETE, "")


def last_checkpoint(stage: Path) -> Path | None:
    """The newest checkpoint that was written to its end; those cut off by a kill are removed."""
    found = []
    for checkpoint in stage.glob("checkpoint-*"):
        if (checkpoint / _COMPLETE).exists():
            found.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _entries(folder: Path) -> list[Path]:
    """What a folder holds besides the lock; nothing when there is no folder."""
    return [path for path in folder.iterdir() if path.name != LOCK] if folder.is_dir() else []


def _throw_away(folder: Path) -> None:
    """Remove a run but its configuration, which says until the next is written that the folder is a run's."""
    for path in sorted(_entries(folder), reverse=True):
        if path.name == "config.toml":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_same(stored: Path, config: str) -> None:
    text = stored.read_text(encoding="utf-8")
    if tomllib.loads(text) == tomllib.loads(config):  # a later version may write the keys in another order
        return
    old, new = text.splitlines(), config.splitlines()
    changed = [line for line in new if line not in old] or [line for line in old if line not in new]
    changed = changed or [after for before, after in zip(old, new, strict=False) if before != after]
    raise ConfigError(
        f"{stored.parent}: holds a run with another configuration (now: {changed[0].strip()}); "
        "choose another --out, or --fresh to throw the old run away"
    )

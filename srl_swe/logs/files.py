"""Turns what the user names (files, folders, globs) into files, folder by folder, in a stable order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from srl_swe_envs.errors import ConfigError

_SKIPPED_FOLDERS = frozenset({".git", "__pycache__", "node_modules", ".venv"})


def folders_of(paths: Iterable[Path | str]) -> Iterator[tuple[Path, ...]]:
    """The files to read, in groups that lie in one folder; each file once.

    Raises ConfigError for a path that does not exist and a glob that matches nothing.
    """
    seen: set[str] = set()
    for path in paths:
        for group in _groups(Path(path)):
            fresh = tuple(file for file in group if os.path.abspath(file) not in seen)
            seen.update(map(os.path.abspath, fresh))
            if fresh:
                yield fresh


def _groups(path: Path) -> Iterator[tuple[Path, ...]]:
    if path.is_dir():
        yield from _walk(path)
    elif path.exists():
        yield (path,)
    elif glob.has_magic(str(path)):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        if not matches:
            raise ConfigError(f"{path}: no file matches this pattern")
        for folder in dict.fromkeys(match.parent for match in matches):
            files = tuple(match for match in matches if match.parent == folder and not match.is_dir())
            if files:
                yield files
        for match in matches:
            if match.is_dir():
                yield from _walk(match)
    else:
        raise ConfigError(f"{path}: no such file or folder")


def _walk(folder: Path) -> Iterator[tuple[Path, ...]]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        files = tuple(Path(root) / name for name in sorted(names) if not name.startswith("."))
        if files:
            yield files

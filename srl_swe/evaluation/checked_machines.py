"""Remembers that the honesty checks held on this machine, so that only a first evaluation runs them unasked."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from pathlib import Path

from .store import StoreError, write_atomically
from .verified import swebench_version


def has_been_checked(backend: str, *, rows: bool) -> bool:
    """Whether the checks held here before, with this back end, kernel and swebench."""
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and _key(backend, rows) in known


def remember_check(backend: str, *, rows: bool) -> None:
    """Note that the checks held; a cache that can't be written only means that they run again."""
    path = _file()
    with contextlib.suppress(OSError, StoreError):
        path.parent.mkdir(parents=True, exist_ok=True)
        known: dict[str, float] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(path.read_text(encoding="utf-8"))
        write_atomically(path, json.dumps({**known, _key(backend, rows): time.time()}) + "\n")


def _key(backend: str, rows: bool) -> str:
    kind = f"rows with swebench {swebench_version()}" if rows else "demo tasks"
    return f"{platform.node()}, {platform.release()}: {kind} in {backend}"


def _file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "srl-swe" / "checked.json"

"""Reads which commit a repository is at without running git (and so without its start, and without its hooks)."""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def head_commit(repository: Path) -> str:
    """The commit of HEAD; empty when there is none, or when only git itself could tell (reference tables)."""
    folder = repository / ".git"
    try:
        text = (folder / "HEAD").read_text(encoding="utf-8").strip()
        for _ in range(5):  # a reference may name another one
            if not text.startswith("ref: "):
                break
            text = _reference(folder, text.removeprefix("ref: "))
    except (OSError, ValueError):
        return ""
    return text if _COMMIT.fullmatch(text) else ""


def _reference(folder: Path, name: str) -> str:
    loose = folder / name
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    for line in (folder / "packed-refs").read_text(encoding="utf-8").splitlines():
        commit, _, packed_name = line.partition(" ")
        if packed_name == name:
            return commit
    return ""

"""What a unified diff says about files, read from its headers alone."""

from __future__ import annotations

import re
from itertools import pairwise

_HEADER = re.compile(r"^diff --git a/(?P<old>.*?) b/(?P<new>.*)$", re.MULTILINE)
_OLD = re.compile(r"^--- a/(?P<path>[^\t\n]*)", re.MULTILINE)
_DATA_SUFFIXES = (".json", ".png", "csv", ".txt", ".md", ".jpg", ".jpeg", ".pkl", ".yml", ".yaml", ".toml")
"""Endings of files that are no tests (upstream swebench `harness/constants: NON_TEST_EXTS`, its `csv` included)."""


def touched_files(patch: str) -> tuple[str, ...]:
    """Paths after the patch of the files that it touches, in its order."""
    return tuple(dict.fromkeys(match["new"] for match in _HEADER.finditer(patch)))


def checked_out_files(patch: str) -> tuple[str, ...]:
    """Paths before the patch of the files that it changes, renames or removes: those that a commit can restore."""
    files: list[str] = []
    for section in _sections(patch):
        header = _HEADER.match(section)
        if header is None or re.search(r"^--- /dev/null$|^new file mode ", section, re.MULTILINE):
            continue
        old = _OLD.search(section)
        files.append(old["path"] if old else header["old"])
    return tuple(dict.fromkeys(files))


def directives(patch: str) -> tuple[str, ...]:
    """Paths of the test files that a test patch names to the test command (upstream `get_test_directives`)."""
    return tuple(path for path in touched_files(patch) if not path.endswith(_DATA_SUFFIXES))


def is_empty(patch: str) -> bool:
    """Whether a patch changes nothing."""
    return not patch.strip()


def _sections(patch: str) -> list[str]:
    """The parts of a patch that each belong to one file."""
    starts = [match.start() for match in _HEADER.finditer(patch)]
    return [patch[start:end] for start, end in pairwise((*starts, len(patch)))]

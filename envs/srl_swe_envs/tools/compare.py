"""Whether an action's outcome is the recorded one, as far as a second run can be expected to repeat it.

Times, addresses, process numbers and temporary names differ between runs of the same command and are left out; so is
white space at line ends, which terminals and log writers change.
"""

from __future__ import annotations

import re

from ..actions import Action, Shell, View
from ..trajectories import Observation

_VARYING = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:s|ms|us|µs|ns|sec|seconds|minutes)\b"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?)?\b|\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "<date>"),
    (re.compile(r"\b0x[0-9a-fA-F]{4,}\b"), "<address>"),
    (re.compile(r"/tmp/[\w.\-]+"), "<tmp>"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
_LISTS_FILES = re.compile(r"^\s*(?:cd [^&;]*(?:&&|;)\s*)?(?:find|ls|grep -\w*r\w*|rg|du)\b")


def same_outcome(action: Action, seen: Observation, recorded: Observation) -> bool:
    """Whether `seen` repeats `recorded`. Where part of the recorded text was left out, only exit codes decide.

    The order of a directory's entries is the file system's: listings are compared as sets of lines.
    """
    if None not in (seen.exit_code, recorded.exit_code) and bool(seen.exit_code) != bool(recorded.exit_code):
        return False
    if recorded.elided_chars or seen.elided_chars or "<response clipped>" in recorded.text:
        return True
    mine, theirs = stable_text(seen.text), stable_text(recorded.text)
    listing = isinstance(action, View) or (isinstance(action, Shell) and _LISTS_FILES.search(action.command))
    return mine == theirs or (bool(listing) and sorted(mine.splitlines()) == sorted(theirs.splitlines()))


def stable_text(text: str) -> str:
    """A text without what varies from run to run."""
    stable = text.replace("\r\n", "\n")
    for pattern, instead in _VARYING:
        stable = pattern.sub(instead, stable)
    return stable.strip()

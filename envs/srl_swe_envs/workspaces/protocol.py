"""What every workspace offers: run a command, read and write files, take the patch, go back to a known state.

The agent's mistakes are data: a command that fails, hangs, floods or kills itself comes back as a `CommandResult`.
`WorkspaceError` means that the workspace itself is beyond help (its first process is dead, the engine does not
answer); `reset` brings it back. A path that can't be read or written raises the `OSError` that `open` would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceLimits:
    """What a workspace may use. Zero means: no limit."""

    memory_bytes: int = 4 << 30
    """Memory of all its processes together, files in memory included."""
    pids: int = 256
    """Processes and threads at one time."""
    cpus: float = 2.0
    disk_bytes: int = 2 << 30
    """What may be written (file contents, since the last reset or snapshot)."""
    output_chars: int = 65536
    """Longest output of one command; head and tail are kept."""
    timeout_s: float = 60.0
    """Wall time of one command unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a command did."""

    output: str
    """Standard output and standard error in the order written; invalid UTF-8 replaced, NUL bytes dropped. Where
    something was left out, `elision_mark(elided_chars)` stands in its place."""
    exit_code: int | None
    """128 + N when signal N ended the command; None when it ran out of time (it was killed)."""
    timed_out: bool
    elided_chars: int
    duration_s: float


def elision_mark(elided_chars: int) -> str:
    """The line that stands for `elided_chars` characters left out of an output."""
    return f"\n[... {elided_chars} characters elided ...]\n"


@runtime_checkable
class Workspace(Protocol):
    """A place where an agent's commands run."""

    def run(self, command: str, *, timeout_s: float | None = None) -> CommandResult:
        """Run `command` in a shell; within `timeout_s` (default: the limits') it ends or is killed."""
        ...

    def read_bytes(self, path: str) -> bytes:
        """Contents of a file; a relative path starts at the task's directory. Raises OSError."""
        ...

    def write_bytes(self, path: str, data: bytes) -> None:
        """Make or replace a file, and the folders it needs. Raises OSError."""
        ...

    def diff(self) -> str:
        """The patch from the task's initial commit to the files as they are; new files included, ignored ones not.

        Bytes that are not UTF-8 are kept as surrogate escapes.
        """
        ...

    def reset(self) -> None:
        """Back to the pristine state: files, installed packages, /tmp and processes."""
        ...

    def snapshot(self) -> str:
        """Remember the files as they are now; the name to give to `restore`. Background processes end."""
        ...

    def restore(self, snapshot: str) -> None:
        """Back to a snapshot; any number of times, in any order. Raises KeyError for an unknown name."""
        ...

    def close(self) -> None:
        """End it and free everything. May be called twice."""
        ...

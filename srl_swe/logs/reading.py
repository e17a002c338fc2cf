"""What a log reader gives: one trajectory, and an account of every record it saw on the way.

The account adds up: `seen == len(trajectory.turns) + sum(context) + sum(dropped)`. A record is a message, step or
event of the log; a reply with several tool calls counts once for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from srl_swe_envs.trajectories import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a record lies: the file as the user named it, and the line it begins on (one-based)."""

    path: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One trajectory out of a log."""

    trajectory: Trajectory
    origin: Origin
    seen: int
    """Records in the log, counted by length alone, independent of what became of them."""
    context: Mapping[str, int] = field(default_factory=dict)
    """Records that are part of the conversation but no turns of their own: system prompt, task, observations."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Records left out, by reason."""

    @property
    def unexplained(self) -> int:
        """Records that neither became a turn nor have a reason; always 0 unless a reader is wrong."""
        return self.seen - len(self.trajectory.turns) - sum(self.context.values()) - sum(self.dropped.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file or line that could not be read."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that holds no agent steps: task rows, evaluation reports, prose."""

    path: str
    reason: str


Event: TypeAlias = Reading | Problem | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """One log format: how to know it by content and how to read it.

    `parts` says what `read` is given: one JSON value that holds a whole trajectory (`record`), or the list of all
    JSON values of a file (`file`), or of the files of one conversation in a folder (`folder`).
    """

    name: str
    matches: Callable[[Any], bool]
    """Whether one JSON value is of this format (for `file` and `folder`: is one of its parts)."""
    read: Callable[[Any, Origin], Reading]
    """Raises ValueError, KeyError or TypeError when the record does not hold together."""
    parts: Literal["record", "file", "folder"] = "record"
    conversation: Callable[[Any], str] | None = None
    """For `folder`: which conversation a part belongs to."""
    supersedes: Callable[[Any, Any], bool] | None = None
    """For `record`: whether the record after an earlier one holds all of it."""


Records: TypeAlias = Sequence[dict[str, Any]]

"""A workspace that is a recording: whatever is done, what the expert saw at that place comes back (teacher forcing)."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from ..errors import WorkspaceError
from ..trajectories import Observation, Turn
from .protocol import CommandResult


class ReplayWorkspace:
    """A `Workspace` over the turns of a trajectory; it holds no files and makes no patch."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = tuple(turns)
        self._position = 0

    def advance(self) -> Observation:
        """The next recorded observation; an empty one where none was recorded. WorkspaceError after the last."""
        if self._position >= len(self._turns):
            raise WorkspaceError(f"the recording has ended after {len(self._turns)} turns")
        observation = self._turns[self._position].observation
        self._position += 1
        return observation or Observation(text="")

    def run(self, command: str, *, timeout_s: float | None = None) -> CommandResult:
        """What the expert's next command gave; `command` is not looked at."""
        observation = self.advance()
        return CommandResult(
            output=observation.text,
            exit_code=observation.exit_code,
            timed_out=False,
            elided_chars=observation.elided_chars,
            duration_s=0.0,
        )

    def read_bytes(self, path: str) -> bytes:
        """Raises FileNotFoundError: a recording has no files."""
        raise FileNotFoundError(errno.ENOENT, "a recording has no files", path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Raises OSError (read-only file system)."""
        raise OSError(errno.EROFS, "a recording can't be written to", path)

    def diff(self) -> str:
        """Always empty."""
        return ""

    def reset(self) -> None:
        """Back to the first turn."""
        self._position = 0

    def snapshot(self) -> str:
        """The position as a name."""
        return str(self._position)

    def restore(self, snapshot: str) -> None:
        """Back to a position; raises KeyError for what `snapshot` never gave."""
        if not snapshot.isdecimal() or int(snapshot) > len(self._turns):
            raise KeyError(snapshot)
        self._position = int(snapshot)

    def close(self) -> None:
        """Nothing to free."""

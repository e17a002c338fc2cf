"""A workspace's files as the editor wants them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ..workspaces.protocol import Workspace

_LIST_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class WorkspaceFiles:
    """`Files` over a `Workspace`; a `WorkspaceError` passes through, it is not the agent's."""

    workspace: Workspace

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        return self.workspace.read_bytes(path)

    def write(self, path: str, data: bytes) -> None:
        """See `Files.write`."""
        self.workspace.write_bytes(path, data)

    def entries(self, path: str, *, depth: int) -> tuple[str, ...]:
        """See `Files.entries`; by upstream's own command, so hidden entries are left out in the same way."""
        command = f"find {shlex.quote(path)} -maxdepth {depth} -not -path '*/\\.*' 2>/dev/null"
        return tuple(sorted(self.workspace.run(command, timeout_s=_LIST_TIMEOUT_S).output.splitlines()))

"""The one thing that guards and preparations need of a workspace: running commands in it."""

from __future__ import annotations

from typing import Protocol

from .protocol import CommandResult


class CommandRunner(Protocol):
    """Anything that runs a command and says what came of it; every workspace is one."""

    def run(self, command: str, *, timeout_s: float) -> CommandResult:
        """Run `command` in a shell; within `timeout_s` it ends or is killed."""
        ...

"""The few errors of the world, and who is to blame for each.

* The agent's mistakes are data (a malformed reply, a non-zero exit, a time-out) and never leave `SweEnv.step`
  as an exception. `MalformedReply` is raised by parsers and turned into a reward of -1 in one place.
* Infrastructure failures raise `WorkspaceError`; they are never a reward.
* The user's mistakes raise `ConfigError` or `TrajectoryFormatError`; their message names the place and the fix.

Each error is also its standard-library kin, so that callers need not know this package.
"""

from __future__ import annotations


class SrlSweError(Exception):
    """Raised by this project for anything it can name."""


class WorkspaceError(SrlSweError, RuntimeError):
    """Raised when the infrastructure failed: a dead container, a full host disk, an engine that does not answer."""


class ConfigError(SrlSweError, ValueError):
    """Raised when the user's configuration or arguments are wrong; the message names the fix."""


class TrajectoryFormatError(SrlSweError, ValueError):
    """Raised when a log or trajectory file can't be read; the message begins with `file:line`."""


class MalformedReply(SrlSweError, ValueError):
    """Raised when a reply does not follow its dialect.

    `reason` is one of `dialects.REASONS`, a stable code counted in metrics; the message says more.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[MalformedReply], tuple[str, str]]:
        return type(self), (self.reason, str(self))

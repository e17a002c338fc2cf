"""What goes wrong with a model server."""

from __future__ import annotations

from srl_swe_envs.errors import SrlSweError


class ServerError(SrlSweError, RuntimeError):
    """Raised when a model server does not start, hangs, answers garbage, or is gone.

    Like `WorkspaceError` it is infrastructure's failure: never a reply, never a reward.
    """


class RefusedError(SrlSweError, RuntimeError):
    """Raised when a server answers that a request is wrong (4xx); asking again would not help."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status

"""Runs a server as the leader of its own session, and ends all of it when the process that asked for it is gone.

    python guard.py PARENT_PID COMMAND...

A parent that is killed can't clean up behind itself, and a model server that outlives it holds a GPU. This file is run
by its path and imports only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

_POLL_S = 0.25
_PATIENCE_S = 10.0


def main() -> int:
    """The server's exit status, 128 + signal when one ended it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # the group's SIGTERM is for the server; wait for it
    server = subprocess.Popen(command)
    while (status := server.poll()) is None:
        if os.getppid() != parent:
            _end_session(server)
        time.sleep(_POLL_S)
    return status if status >= 0 else 128 - status


def _end_session(server: subprocess.Popen[bytes]) -> None:
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(_PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

"""A process of the host that makes launchers by fork, because starting Python takes longer than starting a sandbox.

One per host process. It gets a control socket, forks a `Launcher` that serves it, and knows nothing more. It ends when
the host does, or when it has had nothing to do for a minute; the host then makes another.
"""

from __future__ import annotations

import _socket
import os
import select
import sys
import time

from .launcher import Launcher, close_all_but, received_descriptor

_IDLE_S = 60.0


def serve(requests: int) -> None:
    """Fork a launcher for every control socket that comes in over the socket `requests`."""
    source = _socket.socket(fileno=requests)
    host = os.getppid()
    children = 0
    idle_since = time.monotonic()
    while True:
        ready = select.select([requests], [], [], 1.0)[0]
        children -= _reap() if children else 0
        if children:
            idle_since = time.monotonic()
        if os.getppid() != host or (not ready and time.monotonic() - idle_since > _IDLE_S):
            return
        if not ready:
            continue
        data, control = received_descriptor(source, 16)
        if not data:
            return  # the host has ended; the launchers notice by themselves
        idle_since = time.monotonic()
        if os.fork() == 0:
            close_all_but(control)
            Launcher(control).serve()
            os._exit(0)
        children += 1
        os.close(control)


def _reap() -> int:
    count = 0
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            count += 1
    except ChildProcessError:
        pass
    return count


def main() -> None:
    """Serve the socket named by the last argument."""
    serve(int(sys.argv[-1]))

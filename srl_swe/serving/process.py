"""A server process that belongs to this run: started on a free port, waited for, watched, ended with its children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from . import guard
from .errors import RefusedError, ServerError
from .http_json import FAILURES, exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCommand:
    """What is started."""

    command: tuple[str, ...]
    """`--host` and `--port` are appended."""
    name: str = "the vLLM server"
    """What error messages call it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's."""
    start_timeout_s: float = 900.0
    log: Path | None = None
    """Output is appended to it; None throws it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that answers."""

    url: str
    """`http://127.0.0.1:PORT`"""
    started: ServerCommand
    process: subprocess.Popen[bytes]

    @property
    def where(self) -> str:
        """A hint at the log for error messages."""
        return f"; its log: {self.started.log}" if self.started.log else ""

    def check(self) -> None:
        """Raises ServerError when the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise ServerError(f"{self.started.name} ended with status {status}{self.where}")


@contextlib.contextmanager
def running_server(command: ServerCommand) -> Iterator[ServerProcess]:
    """A server that lives as long as the `with` block and not longer than this process.

    Raises ConfigError when it can't be started and ServerError when it does not come up.
    """
    if shutil.which(command.command[0]) is None:
        raise ConfigError(f"{command.command[0]} can't be started: there is no such program")
    port = _free_port()
    full = [*command.command, "--host", "127.0.0.1", "--port", str(port)]
    log = command.log.open("ab") if command.log else None
    try:
        # A session of its own, so that the processes that the server spawns end with it.
        process = subprocess.Popen(
            [sys.executable, guard.__file__, str(os.getpid()), *full],
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.DEVNULL,
            stderr=log or subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **command.environment},
        )
    finally:
        if log is not None:
            log.close()
    server = ServerProcess(url=f"http://127.0.0.1:{port}", started=command, process=process)
    try:
        _wait(server)
        yield server
    finally:
        _stop(process)


def _wait(server: ServerProcess) -> None:
    deadline = time.monotonic() + server.started.start_timeout_s
    while True:
        status = server.process.poll()
        if status is not None:
            raise ServerError(f"{server.started.name} ended with status {status} while starting{server.where}")
        with contextlib.suppress(*FAILURES, RefusedError):
            if exchange(f"{server.url}/v1/models", timeout_s=5)["data"]:
                return
        if time.monotonic() > deadline:
            raise ServerError(
                f"{server.started.name} did not answer in {server.started.start_timeout_s:.0f} s{server.where}"
            )
        time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole session: politely, then not."""
    for ending, patience_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    process.poll()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

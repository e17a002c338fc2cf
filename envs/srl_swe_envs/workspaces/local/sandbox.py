"""The host's handle on a launcher: starts, restarts and ends one sandbox, and stacks its layers."""

from __future__ import annotations

import contextlib
import marshal
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ...errors import WorkspaceError
from ..guest.client import GuestClient
from . import cgroups
from .spec import Spec

START_TIMEOUT_S = 30.0
_MAX_REPLY = 1 << 16
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from workspaces.local.nursery import main; main()"
_PACKAGE = Path(__file__).resolve().parents[2]


class _Nursery:
    """The host's end of its nursery; see the module `nursery`."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_PACKAGE), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the host, which then closes its sandboxes
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()

    def make_launcher(self, control: socket.socket) -> None:
        """Have a launcher serve `control`. Raises OSError when the nursery has ended."""
        _send(self._socket, b"launch", control.fileno())

    def close(self) -> None:
        """Let it end."""
        self._socket.close()
        self._process.wait()


_lock = threading.Lock()
_nurseries: list[_Nursery] = []


def _make_launcher(control: socket.socket) -> None:
    """Ask this process's nursery, or a new one where it has ended from idleness or belongs to the parent process."""
    with _lock:
        while _nurseries:
            nursery = _nurseries[-1]
            try:
                if nursery.owner == os.getpid():
                    nursery.make_launcher(control)
                    return
            except OSError:
                nursery.close()
            _nurseries.clear()
        cgroups.remove_stale()
        nursery = _Nursery()
        _nurseries.append(nursery)
        nursery.make_launcher(control)


def _send(end: socket.socket, data: bytes, fd: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))]
    end.sendmsg([data], rights)


class NamespaceSandbox:
    """A sandbox of namespaces. `start` begins a new generation of files on top of frozen ones."""

    def __init__(self, spec: Spec) -> None:
        """Starts the launcher; raises WorkspaceError when this machine does not allow what `spec` asks for."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(START_TIMEOUT_S)
        self._generation = 0
        self._layers: tuple[int, ...] = ()
        self._frozen: dict[str, tuple[int, ...]] = {}
        self._alive = True
        self._launcher_pid = 0
        try:
            _make_launcher(theirs)
            self._control.send(marshal.dumps(dict(spec)))
            theirs.close()
            self._launcher_pid = self._reply("prepare")
        except OSError as problem:
            self.close()
            raise WorkspaceError(f"can't start the sandbox's launcher: {problem}") from problem
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    @property
    def launcher_pid(self) -> int:
        """The launcher's process id."""
        return self._launcher_pid

    def start(self, layers: tuple[int, ...] | None = None) -> GuestClient:
        """Kill what runs and start anew on `layers` (default: the same as now, without what was written since)."""
        self._layers = self._layers if layers is None else layers
        self._generation += 1
        keep = tuple({old for stack in self._frozen.values() for old in stack})
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._request(("start", self._generation, self._layers, keep), theirs.fileno())
        except BaseException:
            mine.close()
            raise
        finally:
            theirs.close()
        return GuestClient(mine, start_timeout_s=START_TIMEOUT_S)

    def freeze(self, name: str) -> GuestClient:
        """Keep the files as they are now under `name`, and go on above them."""
        self._frozen[name] = (self._generation, *self._layers)
        return self.start(self._frozen[name])

    def thaw(self, name: str) -> GuestClient:
        """Go back to the files kept under `name`. Raises KeyError."""
        return self.start(self._frozen[name])

    def forget(self, name: str) -> None:
        """Drop `name`; its files go at the next start unless they are in use."""
        self._frozen.pop(name, None)

    def close(self) -> None:
        """End the sandbox and wait until everything of it is removed. May be called twice."""
        if not self._alive:
            return
        self._alive = False
        with self._control, contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
            while self._control.recv(_MAX_REPLY):
                pass

    def _request(self, request: tuple[Any, ...], fd: int) -> int:
        if not self._alive:
            raise WorkspaceError("the workspace is closed")
        try:
            _send(self._control, marshal.dumps(request), fd)
        except OSError as problem:
            raise WorkspaceError(f"the sandbox's launcher is gone: {problem}") from problem
        return self._reply(request[0])

    def _reply(self, action: str) -> int:
        try:
            data = self._control.recv(_MAX_REPLY)
        except OSError as problem:
            raise WorkspaceError(f"the sandbox's launcher does not answer ({action}): {problem}") from problem
        if not data:
            raise WorkspaceError(f"the sandbox's launcher died ({action})")
        done, result = marshal.loads(data)
        if not done:
            raise WorkspaceError(f"the sandbox could not {action}: {result}")
        return int(result)

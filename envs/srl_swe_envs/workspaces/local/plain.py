"""No isolation at all: the agent as a plain subprocess in a temporary copy of the task's files. Unsafe."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from ...errors import WorkspaceError
from ..guest.client import GuestClient
from ..leases import make_leased_directory, remove_leased_directory

_GUEST_PARENT = Path(__file__).resolve().parents[1]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from guest import agent; agent.serve(int(sys.argv[2]))"


class PlainCopy:
    """The same operations as a `NamespaceSandbox`, on copies of a folder."""

    def __init__(self, source: Path | None) -> None:
        self._home = make_leased_directory("unsafe")
        self._source = source
        self._frozen: dict[str, Path] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def workdir(self) -> str:
        """Where the task's files are."""
        return str(self._home / "task")

    def start(self, layers: tuple[int, ...] | None = None) -> GuestClient:
        """A fresh copy of the source, and an agent in it."""
        return self._restart(self._source)

    def freeze(self, name: str) -> GuestClient:
        """Keep a copy of the files as they are under `name`."""
        self._frozen[name] = self._home / f"kept-{len(self._frozen)}"
        self._stop()
        shutil.copytree(self.workdir, self._frozen[name], symlinks=True)
        return self._launch()

    def thaw(self, name: str) -> GuestClient:
        """Go back to the files kept under `name`. Raises KeyError."""
        return self._restart(self._frozen[name])

    def close(self) -> None:
        """End the agent and remove the copies. May be called twice."""
        self._stop()
        remove_leased_directory(self._home)

    def _restart(self, source: Path | None) -> GuestClient:
        self._stop()
        shutil.rmtree(self.workdir, ignore_errors=True)
        if source is None:
            os.mkdir(self.workdir)
        else:
            shutil.copytree(source, self.workdir, symlinks=True)
        return self._launch()

    def _launch(self) -> GuestClient:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_GUEST_PARENT), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home), "LANG": "C.UTF-8"},
                cwd=self.workdir,
                start_new_session=True,
            )
        except OSError as problem:
            mine.close()
            raise WorkspaceError(f"can't start the agent: {problem}") from problem
        finally:
            theirs.close()
        return GuestClient(mine)

    def _stop(self) -> None:
        """The agent ends by itself when its socket is closed, and takes what it started along."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

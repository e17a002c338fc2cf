"""The process that starts, restarts and ends one sandbox; it holds its layers and control groups in between.

It runs without this project's package (`-I -S`, the folder above `workspaces` as its only path), because importing that
takes longer than a sandbox. The host speaks `marshal` over a SOCK_SEQPACKET pair: first a `Spec`, then
`("start", generation, layers, keep)` with
one end of the guest's socket attached, or `("stop",)`. Each is answered by `(True, process id)` or `(False, reason)`.
When the host hangs up or dies, the sandbox is killed and everything is removed; when the launcher is killed, the
kernel kills the sandbox (parent-death signal) and, with it, its namespaces, mounts and files.

The sandbox's first process is forked, not executed: the agent's code is in memory already, so that an image needs no
Python, and a start takes a few milliseconds.
"""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import resource
import select
import sys
import time

from ..guest import agent
from . import mounts, seccomp
from . import syscalls as sys_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .spec import Spec

_MAX_MESSAGE = 1 << 18
_MSG_CMSG_CLOEXEC = 0x40000000
_SIGKILL = 9
_STOP_LIMIT_S = 5.0
_PROBLEMS = (OSError, ValueError, RuntimeError)


class Launcher:
    """One sandbox."""

    def __init__(self, control: int) -> None:
        self._control = _socket.socket(fileno=control)
        self._parent = os.getppid()
        self._spec: Spec = marshal.loads(self._control.recv(_MAX_MESSAGE))
        self._base = ""
        self._pid = 0
        self._generations: set[int] = set()
        self._cgroups: list[tuple[str, int]] = []  # (name, descriptor of its parent)

    def serve(self) -> None:
        """Answer the host until it is gone."""
        try:
            self._answer(self._prepare)
            while (message := self._next_message()) is not None:
                self._answer(self._handle, *message)
        finally:
            try:
                self._stop()
            finally:
                self._remove_cgroups()

    def _answer(self, action: Any, *arguments: Any) -> None:
        try:
            reply = (True, action(*arguments))
        except _PROBLEMS as problem:
            reply = (False, str(problem) or type(problem).__name__)
        self._control.send(marshal.dumps(reply))

    def _next_message(self) -> tuple[tuple[Any, ...], int] | None:
        """The host's next request and the descriptor that came with it; None when the host is gone."""
        while not select.select([self._control.fileno()], [], [], 1.0)[0]:
            if os.getppid() != self._parent:  # its end of the socket may live on in a forked child of it
                return None
        data, fd = received_descriptor(self._control, _MAX_MESSAGE)
        return (marshal.loads(data), fd) if data else None

    def _handle(self, request: tuple[Any, ...], connection: int) -> int:
        try:
            if request[0] == "start":
                return self._start(request[1], request[2], set(request[3]), connection)
            self._stop()
            return 0
        finally:
            if connection >= 0:
                os.close(connection)

    def _prepare(self) -> int:
        sys_.prctl(sys_.PR_SET_CHILD_SUBREAPER, 1)
        for folder, settings in self._spec["cgroups"]:
            self._make_cgroup(folder, settings)
        if self._spec["user_namespace_first"]:
            uid, gid = os.geteuid(), os.getegid()
            sys_.unshare(sys_.CLONE_NEWUSER)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {uid} 1")
            _write("/proc/self/gid_map", f"0 {gid} 1")
        sys_.unshare(sys_.CLONE_NEWNS)
        sys_.mount("none", "/", flags=sys_.MS_REC | sys_.MS_PRIVATE)
        self._base = next(path for path in self._spec["mount_points"] if os.path.isdir(path))
        sys_.mount("tmpfs", self._base, "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, "size=64m,mode=0755")
        if self._spec["user_namespace_first"]:
            mounts.require_attributes(self._base)
        self._make_skeleton()
        return os.getpid()

    def _make_skeleton(self) -> None:
        top = f"{self._base}/skeleton"
        os.mkdir(top)
        for inside, mode in self._spec["folders"]:
            os.makedirs(top + inside, exist_ok=True)
            os.chmod(top + inside, mode)
        for inside, content, mode in self._spec["files"]:
            with open(top + inside, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(top + inside, mode)
        for source, inside in self._spec["copies"]:
            with open(source, "rb") as original, open(top + inside, "wb") as copy:
                copy.write(original.read())
        for inside, target in self._spec["links"]:
            os.symlink(target, top + inside)

    def _make_cgroup(self, folder: str, settings: tuple[tuple[str, str], ...]) -> None:
        parent, name = os.path.split(folder)
        parent_fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir(name, dir_fd=parent_fd)
        own_fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent_fd)
        self._cgroups.append((name, parent_fd))
        for file, value in settings:
            _write(file, value, dir_fd=own_fd)
        _write("cgroup.procs", "0", dir_fd=own_fd)  # children are born inside; moving each takes the kernel longer

    def _remove_cgroups(self) -> None:
        for name, parent_fd in self._cgroups:
            deadline = time.monotonic() + _STOP_LIMIT_S
            while True:
                try:
                    _write("cgroup.procs", "0", dir_fd=parent_fd)
                    os.rmdir(name, dir_fd=parent_fd)
                    break
                except OSError:  # its last process is still on its way out
                    if time.monotonic() > deadline:
                        break  # `cgroups.remove_stale` of a later run will
                    time.sleep(0.005)

    def _start(self, generation: int, layers: tuple[int, ...], keep: set[int], connection: int) -> int:
        self._stop()
        for old in self._generations - keep - set(layers):
            sys_.unmount(f"{self._base}/g{old}")
            self._generations.discard(old)
        mounts.prepare_generation(self._base, generation, self._spec)
        self._generations.add(generation)
        go, go_writer = os.pipe()
        status, status_writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            self._in_the_middle(generation, layers, connection, go, status_writer)
        os.close(go)
        os.close(status_writer)
        try:
            os.waitpid(middle, 0)
            return self._accompany(status, go_writer)
        finally:
            os.close(status)
            os.close(go_writer)

    def _accompany(self, status: int, go: int) -> int:
        """The launcher's side of a start: what the first process can't do to itself."""
        with os.fdopen(os.dup(status), "r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                word, _, rest = line.rstrip("\n").partition(" ")
                if word == "pid":
                    self._pid = int(rest)
                elif word == "map":
                    for kind in ("uid", "gid"):
                        _write(f"/proc/{self._pid}/{kind}_map", _identity_map(kind))
                elif word == "ok":
                    return self._pid
                else:
                    raise OSError(rest)
                os.write(go, b"g")
        raise OSError("the sandbox died while it was started")

    def _in_the_middle(
        self, generation: int, layers: tuple[int, ...], connection: int, go: int, status: int
    ) -> NoReturn:
        """A short-lived process that enters the namespaces: its child is the first process in them."""
        try:
            spaces = sys_.CLONE_NEWPID | sys_.CLONE_NEWNS | sys_.CLONE_NEWNET
            sys_.unshare(spaces | sys_.CLONE_NEWIPC | sys_.CLONE_NEWUTS)
            pid = os.fork()
            if pid:
                os.write(status, f"pid {pid}\n".encode())
                os._exit(0)
            close_all_but(connection, go, status)
            _become_first(self._base, generation, layers, self._spec, go, status)
            os.close(go)
            os.close(status)
            agent.serve(connection)
        except BaseException as problem:
            os.write(status, f"error {problem}\n".encode("utf-8", "replace"))
        os._exit(1)

    def _stop(self) -> None:
        """Kill the sandbox and wait until the kernel has taken it apart."""
        if not self._pid:
            return
        pid, self._pid = self._pid, 0
        _signal(pid)
        deadline = time.monotonic() + _STOP_LIMIT_S
        pause_s = 0.0002
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                raise OSError("a process of the sandbox can't be killed (stuck in the kernel)")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.01)


def _signal(pid: int) -> None:
    try:  # noqa: SIM105  (contextlib would take milliseconds of the start)
        os.kill(pid, _SIGKILL)
    except ProcessLookupError:
        pass


def _write(path: str, text: str, dir_fd: int | None = None) -> None:
    fd = os.open(path, os.O_WRONLY, dir_fd=dir_fd)
    try:
        os.write(fd, text.encode())
    except OSError as problem:
        raise OSError(problem.errno, f"can't write {text!r} to {path}: {problem.strerror}") from None
    finally:
        os.close(fd)


def _identity_map(kind: str) -> str:
    """A map of every id that this process may use to itself."""
    with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
        extents = [line.split() for line in file]
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in extents)


def received_descriptor(source: _socket.socket, max_bytes: int) -> tuple[bytes, int]:
    """A message, and the descriptor that came with it (-1: none). No bytes: the other end is closed."""
    data, ancillary, _, _ = source.recvmsg(max_bytes, _socket.CMSG_SPACE(4), _MSG_CMSG_CLOEXEC)
    for _, kind, content in ancillary:
        if kind == _socket.SCM_RIGHTS:
            return data, int.from_bytes(content[:4], sys.byteorder)
    return data, -1


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on but those."""
    lowest = 3
    for fd in sorted(kept):
        os.closerange(lowest, fd)
        lowest = fd + 1
    os.closerange(lowest, 4096)


def _become_first(base: str, generation: int, layers: tuple[int, ...], spec: Spec, go: int, status: int) -> None:
    """In the sandbox's first process: everything that needs privileges, then give them up for good."""
    _await(go)
    mounts.build(base, generation, layers, spec)
    sys_.set_hostname(spec["hostname"])
    _raise_loopback()
    for kind, value in spec["resource_limits"]:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.setsid()
    if not spec["user_namespace_first"]:
        sys_.unshare(sys_.CLONE_NEWUSER)
        os.write(status, b"map\n")
        _await(go)
    sys_.drop_capabilities(spec["capabilities"])
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)  # late: a change of credentials clears it
    if spec["seccomp"]:
        sys_.install_seccomp(seccomp.program())
    os.write(status, b"ok\n")


def _await(go: int) -> None:
    if not os.read(go, 1):
        os._exit(1)  # the launcher is gone


def _raise_loopback() -> None:
    """Bring up 127.0.0.1, the only network there is."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM, 0)
    try:
        fcntl.ioctl(probe.fileno(), 0x8914, b"lo".ljust(16, b"\0") + (1).to_bytes(2, sys.byteorder).ljust(24, b"\0"))
    finally:
        probe.close()

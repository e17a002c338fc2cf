"""The agent inside a workspace: runs commands for the host over one socket (messages: see `wire`).

    python3 -E -s -S -B -m guest.agent SOCKET      with the folder that holds `guest` as working directory

connects out to the unix socket SOCKET of the host and serves it until end of file. It is meant to be the first
process of a container (docker: its folder mounted read-only) or of a sandbox (`local`: `serve` is called in the forked
first process). It needs Python 3.6 and its standard library only, and imports everything before the first
command, so that a command may delete the agent, Python and the shell: later commands then get exit code 127 and a
message, and a reset brings everything back.

One command at a time. Its time limit is kept here: then every process in the workspace is killed, and the output so
far is returned. A process that outlives its command in the background keeps running, does not delay the answer (the
answer comes when the command's shell has ended), and may go on writing (up to 1 MB is swallowed, then it gets
SIGPIPE). What is left behind is counted; at half of the `pids` limit all of it is killed, because the next command
could not start otherwise.

If the agent runs as root without CAP_KILL, commands must not be able to change their user (drop CAP_SETUID too):
it could not kill them.
"""

import fcntl
import os
import select
import sys
import time

from . import commands, files, processes, spawn, wire
from .capture import HeadTail

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing, signal and socket take 20 ms to import: half of a sandbox's start
    import signal
    import socket
    from typing import NoReturn

    Answer = tuple[dict[str, object], bytes]
else:
    try:
        import _signal as signal
        import _socket as socket
    except ImportError:
        import signal
        import socket

DEFAULT_CAP_BYTES = 65536
MAX_COMMAND_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 16
_DRAIN_BUDGET_BYTES = 1 << 20
_MAX_DRAINS = 64
_FIONREAD = 0x541B
NO_SHELL = b"no shell can be started in this workspace (/bin/bash and /bin/sh are gone); a reset helps\n"
NUL_REFUSED = b"the command holds a NUL byte, which no program can take as an argument: remove it\n"


class Agent:
    """Serves one socket."""

    def __init__(self, connection: int, spawner: spawn.Spawner) -> None:
        self._connection = connection
        self._inbox = bytearray()
        self._env = dict(os.environ, **commands.DEFAULT_ENV)
        self._workdir = b"/"
        self._cap_bytes = DEFAULT_CAP_BYTES
        self._pids = 0
        self._session = commands.Session(b"/")
        self._drains: dict[int, int] = {}  # pipes that background processes still hold, with what they may write
        self._spawner = spawner
        self._wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wakeup_writer, False)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process ignores what it has no handler for
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup_writer)

    def serve(self) -> None:
        """Answer requests until the host hangs up."""
        self._send("hello", {"protocol": wire.PROTOCOL, "pid": os.getpid(), "python": sys.version.split()[0]})
        while True:
            message = self._receive()
            if message is None or message[0].op == "bye":
                return
            header, payload = message
            handler = getattr(self, "_do_" + header.op, None)
            try:
                if handler is None:
                    raise wire.WireError("unknown operation: " + header.op)
                fields, answer = handler(header, payload)
                self._send("done", dict(fields, id=header.fields.get("id", "")), answer)
            except (OSError, wire.WireError) as problem:
                code = problem.errno or 0 if isinstance(problem, OSError) else 0
                text = (getattr(problem, "strerror", None) or str(problem)).encode("utf-8", "replace")
                self._send("error", {"id": header.fields.get("id", ""), "errno": code}, text)

    def _send(self, op: str, fields: "dict[str, object]", payload: bytes = b"") -> None:
        view = memoryview(wire.encode(op, fields, payload))
        try:
            while view:
                view = view[os.write(self._connection, view) :]
        except OSError:
            hang_up()

    def _fill(self) -> bool:
        """Wait for more bytes from the host; meanwhile reap orphans and swallow late output."""
        while True:
            ready = select.select([self._connection, self._wakeup, *self._drains], [], [])[0]
            self._housekeeping(ready)
            if self._connection in ready:
                chunk = os.read(self._connection, 1 << 20)
                self._inbox += chunk
                return bool(chunk)

    def _receive(self) -> "tuple[wire.Header, bytes] | None":
        while b"\n" not in self._inbox:
            if len(self._inbox) > wire.MAX_HEADER_BYTES or not self._fill():
                return None
        line, _, rest = bytes(self._inbox).partition(b"\n")
        header = wire.decode_header(line)
        self._inbox = bytearray(rest)
        while len(self._inbox) < header.length:
            if not self._fill():
                return None
        payload = bytes(self._inbox[: header.length])
        del self._inbox[: header.length]
        return header, payload

    def _housekeeping(self, ready: "list[int]") -> "dict[int, int]":
        """Swallow what background processes write, and reap; exit codes of the reaped."""
        for fd in [fd for fd in ready if fd in self._drains]:
            chunk = os.read(fd, _CHUNK_BYTES)
            self._drains[fd] -= len(chunk)
            if not chunk or self._drains[fd] <= 0:
                del self._drains[fd]
                os.close(fd)
        if self._wakeup in ready:
            os.read(self._wakeup, _CHUNK_BYTES)
            return processes.reap()
        return {}

    def _do_setup(self, header: wire.Header, payload: bytes) -> "Answer":
        if header.number("env_clear"):
            self._env = dict(commands.DEFAULT_ENV)
        for item in filter(None, payload.split(b"\0")):
            name, _, value = item.partition(b"=")
            self._env[os.fsdecode(name)] = os.fsdecode(value)
        self._workdir = header.raw("workdir", b"/")
        self._cap_bytes = header.number("cap_bytes", DEFAULT_CAP_BYTES)
        self._pids = header.number("pids")
        self._session = commands.Session(self._workdir)
        return {}, b""

    def _do_ping(self, header: wire.Header, payload: bytes) -> "Answer":
        return {}, payload

    def _do_sweep(self, header: wire.Header, payload: bytes) -> "Answer":
        processes.kill_all()
        return {"leftovers": len(processes.others())}, b""

    def _do_state(self, header: wire.Header, payload: bytes) -> "Answer":
        return {"cwd": self._session.cwd}, self._session.exports

    def _do_resume(self, header: wire.Header, payload: bytes) -> "Answer":
        self._session.cwd = header.raw("cwd", self._workdir)
        self._session.exports = payload
        return {}, b""

    def _do_read(self, header: wire.Header, payload: bytes) -> "Answer":
        path = os.path.join(self._workdir, header.raw("path"))
        return {}, files.read(path, header.number("max_bytes", 1 << 26))

    def _do_write(self, header: wire.Header, payload: bytes) -> "Answer":
        files.write(os.path.join(self._workdir, header.raw("path")), payload, header.number("mode", 0o644))
        return {}, b""

    def _do_run(self, header: wire.Header, payload: bytes) -> "Answer":
        started = time.monotonic()
        shell = commands.find_shell()
        if b"\0" in payload:
            return {"exit": 126}, NUL_REFUSED
        if shell is None:
            return {"exit": 127}, NO_SHELL
        if len(payload) > MAX_COMMAND_BYTES:
            raise wire.WireError("the command is larger than 16 MB")
        session = self._session if header.number("session") else None
        try:
            running, swept = self._start(payload, shell, header, session)
        except OSError as problem:
            return {"exit": 127}, f"cannot start {shell}: {problem.strerror}; a reset helps\n".encode()
        output = HeadTail(header.number("cap_bytes", self._cap_bytes))
        code = self._follow(running, output, started + header.number("timeout_ms") / 1000.0)
        if running.state is not None:
            if code is not None and session is not None:
                session.update(commands.read_memory_file(running.state, commands.MAX_STATE_BYTES))
            os.close(running.state)
        leftovers = processes.count_tasks()
        if self._pids and leftovers > self._pids // 2:
            processes.kill_all()
            swept = True
        head, tail, elided = output.finish()
        answer: dict[str, object] = {
            "exit": "none" if code is None else code,
            "timed_out": int(code is None),
            "elided": elided,
            "head": len(head),
            "leftovers": leftovers,
            "swept": int(swept),
            "cwd_lost": int(running.cwd_lost),
            "us": int((time.monotonic() - started) * 1e6),
        }
        return answer, head + tail

    def _start(
        self, command: bytes, shell: str, header: wire.Header, session: "commands.Session | None"
    ) -> "tuple[commands.Started, bool]":
        """Start; when a limit is in the way, kill what earlier commands left behind and try once more."""
        cwd = session.cwd if session is not None else header.raw("cwd", self._workdir)
        cwds = (os.path.join(self._workdir, cwd), self._workdir)
        try:
            return commands.start(self._spawner, command, shell, self._env, cwds, session), False
        except OSError as problem:
            if not spawn.is_limit(problem):
                raise
            processes.kill_all()
            return commands.start(self._spawner, command, shell, self._env, cwds, session), True

    def _follow(self, running: commands.Started, output: HeadTail, deadline: float) -> "int | None":
        """Collect output until the shell ends; its exit code, or None when `deadline` came first."""
        pipe: int | None = running.output
        watched = [self._connection, self._wakeup]
        code: int | None = None
        while code is None:
            wait_s = deadline - time.monotonic()
            if wait_s <= 0:
                processes.kill_all()
                break
            sources = [*watched, *self._drains] + ([pipe] if pipe is not None else [])
            ready = select.select(sources, [], [], wait_s)[0]
            if pipe is not None and pipe in ready:
                chunk = os.read(pipe, _CHUNK_BYTES)
                output.feed(chunk)
                if not chunk:
                    os.close(pipe)
                    pipe = None
            code = self._housekeeping(ready).get(running.pid)
            if self._connection in ready and not self._still_there():
                watched.remove(self._connection)
        if pipe is not None:
            self._drain(pipe, output)
        return code

    def _still_there(self) -> bool:
        """While a command runs the host only speaks by hanging up."""
        chunk = os.read(self._connection, 1 << 16)
        if not chunk:
            hang_up()
        self._inbox += chunk
        return len(self._inbox) < 1 << 20

    def _drain(self, pipe: int, output: HeadTail) -> None:
        """Take what is in the pipe now, and keep its end open for background processes that still hold it."""
        waiting = int.from_bytes(fcntl.ioctl(pipe, _FIONREAD, b"\0" * 4), sys.byteorder)
        while waiting > 0:
            chunk = os.read(pipe, min(waiting, _CHUNK_BYTES))
            if not chunk:
                break
            output.feed(chunk)
            waiting -= len(chunk)
        if len(self._drains) < _MAX_DRAINS:
            self._drains[pipe] = _DRAIN_BUDGET_BYTES
        else:
            os.close(pipe)


def hang_up() -> "NoReturn":
    """The host is gone: leave nothing behind."""
    if not processes.is_first():
        processes.kill_all()
    os._exit(0)


def serve(connection: int) -> "NoReturn":
    """Serve the connected socket `connection` (a descriptor), then exit and take every process along."""
    spawner = spawn.Spawner()
    processes.harden()
    os.set_inheritable(connection, False)
    Agent(connection, spawner).serve()
    hang_up()


def main() -> "NoReturn":
    """Connect to the socket named by the last argument and serve it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
    connection.connect(sys.argv[-1])
    serve(connection.detach())


if __name__ == "__main__":
    main()

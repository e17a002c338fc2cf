"""The host's end of a workspace: asks the agent inside (messages: see `wire`) and never waits beyond a limit.

The guest is not trusted: headers and payloads have a largest size, every wait has a deadline, and whatever is out of
order closes the connection and raises `WorkspaceError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from ...errors import WorkspaceError
from ..protocol import CommandResult, elision_mark
from . import wire

MAX_PAYLOAD_BYTES = 256 << 20
GRACE_S = 10.0
"""What the guest may take beyond a command's own limit (killing, reaping, sending)."""
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSetup:
    """How the agent shall run commands."""

    workdir: str
    env: Mapping[str, str]
    clear_env: bool = False
    output_bytes: int = 65536
    pids: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """Directory and exported variables of a session, as the agent keeps them."""

    cwd: str
    exports: bytes


class GuestClient:
    """Requests to one agent over a connected socket. Safe to use from several threads; one request at a time."""

    def __init__(self, connection: socket.socket, *, start_timeout_s: float = 30.0) -> None:
        """Waits for the agent's hello; raises WorkspaceError."""
        self._connection: socket.socket | None = connection
        self._inbox = bytearray()
        self._lock = threading.Lock()
        self._request = 0
        self._death = ""
        with self._lock, self._dying("start", start_timeout_s):
            hello, _ = self._receive(time.monotonic() + start_timeout_s)
            if hello.op != "hello" or hello.number("protocol") != wire.PROTOCOL:
                raise wire.WireError(f"the guest said {hello.op!r} instead of hello")

    @property
    def alive(self) -> bool:
        """False once a request has failed for good."""
        return self._connection is not None

    def setup(self, setup: GuestSetup) -> None:
        """Tell the agent how to run commands; starts a new session in `setup.workdir`."""
        fields = {
            "env_clear": int(setup.clear_env),
            "workdir": setup.workdir,
            "cap_bytes": setup.output_bytes,
            "pids": setup.pids,
        }
        payload = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in setup.env.items())
        self._ask("setup", fields, payload)

    def run(
        self,
        command: str,
        *,
        timeout_s: float,
        session: bool = False,
        cwd: str | None = None,
        output_bytes: int | None = None,
    ) -> CommandResult:
        """Run `command`; in a session the directory and exported variables carry over. Raises WorkspaceError."""
        answer, payload = self.run_raw(
            command, timeout_s=timeout_s, session=session, cwd=cwd, output_bytes=output_bytes
        )
        head, elided = answer.number("head", len(payload)), answer.number("elided")
        text = payload.decode("utf-8", "replace")
        if elided:
            text = payload[:head].decode("utf-8", "replace")
            text += elision_mark(elided) + payload[head:].decode("utf-8", "replace")
        code = answer.fields.get("exit", "none")
        return CommandResult(
            output=text.replace("\0", ""),
            exit_code=None if code == "none" else int(code),
            timed_out=answer.number("timed_out") == 1,
            elided_chars=elided,
            duration_s=answer.number("us") / 1e6,
        )

    def run_raw(
        self,
        command: str,
        *,
        timeout_s: float,
        session: bool = False,
        cwd: str | None = None,
        output_bytes: int | None = None,
    ) -> tuple[wire.Header, bytes]:
        """As `run`, but the agent's answer itself and the output's bytes."""
        fields: dict[str, object] = {"timeout_ms": max(round(timeout_s * 1000), 1), "session": int(session)}
        if cwd is not None:
            fields["cwd"] = cwd
        if output_bytes is not None:
            fields["cap_bytes"] = output_bytes
        return self._ask("run", fields, command.encode("utf-8", "surrogateescape"), timeout_s + GRACE_S)

    def read(self, path: str, *, max_bytes: int = 64 << 20) -> bytes:
        """Contents of a file. Raises OSError as `open` would, WorkspaceError when the guest is gone."""
        return self._ask("read", {"path": path, "max_bytes": max_bytes}, path=path)[1]

    def write(self, path: str, data: bytes) -> None:
        """Make or replace a file, and the folders it needs. Raises OSError, WorkspaceError."""
        self._ask("write", {"path": path}, data, path=path)

    def state(self) -> SessionState:
        """The session as it is."""
        answer, payload = self._ask("state", {})
        return SessionState(cwd=answer.fields.get("cwd", "/"), exports=payload)

    def resume(self, state: SessionState) -> None:
        """Put the session back to `state`."""
        self._ask("resume", {"cwd": state.cwd}, state.exports)

    def sweep(self) -> int:
        """Kill every process but the agent; how many could not be killed."""
        return self._ask("sweep", {})[0].number("leftovers")

    def ping(self) -> None:
        """Raises WorkspaceError unless the agent answers."""
        self._ask("ping", {})

    def close(self) -> None:
        """Hang up; the agent then ends and takes everything along. May be called twice."""
        self._die("it was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(
        self,
        op: str,
        fields: Mapping[str, object],
        payload: bytes = b"",
        timeout_s: float = REQUEST_TIMEOUT_S,
        path: str | None = None,
    ) -> tuple[wire.Header, bytes]:
        with self._lock, self._dying(op, timeout_s):
            self._request += 1
            deadline = time.monotonic() + timeout_s
            connection = self._open_connection()
            connection.settimeout(timeout_s)
            connection.sendall(wire.encode(op, {"id": self._request, **fields}, payload))
            answer, content = self._receive(deadline)
            if answer.fields.get("id") != str(self._request) or answer.op not in ("done", "error"):
                raise wire.WireError(f"unexpected answer {answer.op!r} to {op!r}")
        if answer.op == "done":
            return answer, content
        code, text = answer.number("errno"), content.decode("utf-8", "replace")
        if path is not None and code:
            raise OSError(code, text, path)  # picks FileNotFoundError and its kin by the code
        raise WorkspaceError(f"the agent in the workspace could not {op}: {text} ({errno.errorcode.get(code, code)})")

    @contextlib.contextmanager
    def _dying(self, op: str, timeout_s: float) -> Iterator[None]:
        """Any failure inside is the end of this connection."""
        try:
            yield
        except TimeoutError:
            self._die(f"no answer to {op!r} within {timeout_s:g} s")
            raise WorkspaceError(f"the workspace does not answer: {self._death}") from None
        except (OSError, EOFError, wire.WireError) as problem:
            self._die(str(problem) or type(problem).__name__)
            raise WorkspaceError(f"the workspace is gone: {self._death}") from problem

    def _die(self, why: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._death = why
            connection.close()

    def _open_connection(self) -> socket.socket:
        if self._connection is None:
            raise WorkspaceError(f"the workspace is gone ({self._death}); reset it or open a new one")
        return self._connection

    def _fill(self, deadline: float) -> None:
        connection = self._open_connection()
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        connection.settimeout(remaining_s)
        chunk = connection.recv(1 << 18)
        if not chunk:
            raise EOFError("its first process has ended")
        self._inbox += chunk

    def _receive(self, deadline: float) -> tuple[wire.Header, bytes]:
        while (end := self._inbox.find(b"\n")) < 0:
            if len(self._inbox) > wire.MAX_HEADER_BYTES:
                raise wire.WireError("endless header")
            self._fill(deadline)
        header = wire.decode_header(bytes(self._inbox[:end]))
        if header.length > MAX_PAYLOAD_BYTES:
            raise wire.WireError(f"payload of {header.length} bytes")
        while len(self._inbox) < end + 1 + header.length:
            self._fill(deadline)
        payload = bytes(self._inbox[end + 1 : end + 1 + header.length])
        del self._inbox[: end + 1 + header.length]
        return header, payload

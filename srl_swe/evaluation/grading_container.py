"""Runs one evaluation script on one patch in a fresh container that ends with it.

The container has no network, no capabilities, limits on memory, processes and processors, and an init as first
process; its only command is the driver below, so that ending the container ends everything in it. The output comes
through one pipe in the order written, is kept in a capped file, and a script that runs out of time is killed.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import socket
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.docker.engine import engine_errors, thread_client
from srl_swe_envs.workspaces.leases import Lease

from .store import writing
from .verified import APPLY_COMMANDS

_FOLDER = "/srl-swe-grading"
_POLL_S = 1.0
_PATIENCE_S = 60.0
"""How long past the time-out an engine may take to end a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingLimits:
    """What the tests of one patch may use."""

    timeout_s: float = 1800.0
    memory_bytes: int = 4 << 30
    pids: int = 512
    cpus: float = 2.0
    file_bytes: int = 8 << 30
    """Longest file that a test may write; the usual storage drivers have no quota for all files together."""
    log_bytes: int = 64 << 20
    """Longest log kept; what comes after is read and dropped, up to the time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingRun:
    """How a run ended; the log lies in the file that was given."""

    applied: bool
    timed_out: bool
    complete: bool
    """Whether the driver came to its end. False without a time-out: something killed it."""
    killed_outside: bool
    """Whether somebody told the engine to end the container, other than for a time-out."""
    out_of_memory: bool
    elided_bytes: int
    duration_s: float


class Cancelled(Exception):
    """Raised when the run is being stopped and this container was ended for it."""


def run_grading(
    *, image: str, workdir: str, patch: str, script: str, log: Path, limits: GradingLimits, run: str = "",
    stop: StopSignal | None = None,
) -> GradingRun:  # fmt: skip
    """Apply `patch` as swebench does, run `script`, and write its output to `log`.

    Raises WorkspaceError when the engine fails, StoreError when the log can't be written (a full disk).
    """
    nonce = secrets.token_hex(16)
    lease = Lease.take(run=run, lease_s=limits.timeout_s + 3600)
    started, began_at = time.monotonic(), int(time.time())
    with _container(image, lease, limits) as container, _opened(log) as file:
        with engine_errors(f"sending the patch to a container of {image}"):
            files = {"patch.diff": patch, "eval.sh": script, "driver.sh": _driver(nonce, workdir)}
            thread_client().api.put_archive(container, "/", _archive(files))
        output = _Output(file, nonce.encode(), limits.log_bytes)
        timed_out = _follow(container, output, limits.timeout_s, stop)
        out_of_memory = _out_of_memory(container)
        killed_outside = not output.complete and not timed_out and _killed_outside(container, began_at)
    return GradingRun(
        applied=output.applied,
        timed_out=timed_out,
        complete=output.complete,
        killed_outside=killed_outside,
        out_of_memory=out_of_memory,
        elided_bytes=output.elided_bytes,
        duration_s=time.monotonic() - started,
    )


def _opened(log: Path) -> BinaryIO:
    """The log's file, without a buffer so that a full disk is noticed where it can be said."""
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("wb", buffering=0)


class StopSignal:
    """Set once, from any thread, to end all containers that watch it within seconds."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Ask everything to stop."""
        self.is_set = True


def _driver(nonce: str, workdir: str) -> str:
    """The container's one command. Its marks hold a number that no patch can have been written with."""
    undo = "git checkout -- . ; git clean -fd"
    attempts = " || \\\n".join(
        f"{{ {f'{{ {undo}; }} >/dev/null 2>&1; ' if number else ''}{command} {_FOLDER}/patch.diff; }}"
        for number, command in enumerate(APPLY_COMMANDS)
    )
    return f"""\
exec 2>&1 </dev/null
cd {workdir} || exit 1
git config --global --add safe.directory {workdir}
apply() {{
{attempts} || \\
git apply --check --reverse {_FOLDER}/patch.diff
}}
if apply; then echo '{nonce} applied'; else echo '{nonce} refused'; echo '{nonce} end'; exit 0; fi
mv {_FOLDER}/eval.sh /eval.sh
rm -rf {_FOLDER}
/bin/bash /eval.sh
echo; echo '{nonce} end'
"""


@contextlib.contextmanager
def _container(image: str, lease: Lease, limits: GradingLimits) -> Iterator[str]:
    import docker.errors

    api = thread_client().api
    with engine_errors(f"making a grading container of {image}"):
        host_config = api.create_host_config(
            network_mode="none", cap_drop=["ALL"], security_opt=["no-new-privileges"], init=True,
            pids_limit=limits.pids, mem_limit=limits.memory_bytes, memswap_limit=limits.memory_bytes,
            nano_cpus=round(limits.cpus * 1e9),
            ulimits=[
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "fsize", "Soft": limits.file_bytes, "Hard": limits.file_bytes},
            ],
            log_config={"Type": "none", "Config": {}},
        )  # fmt: skip
        try:
            made = api.create_container(
                image, entrypoint=["/bin/bash", f"{_FOLDER}/driver.sh"], command=[], user="0:0", working_dir="/",
                labels=lease.labels(), host_config=host_config, healthcheck={"test": ["NONE"]},
            )  # fmt: skip
        except docker.errors.ImageNotFound as error:
            raise WorkspaceError(f"image {image} is not on this machine: build it or pull it first") from error
    try:
        yield str(made["Id"])
    finally:
        # An engine that is gone keeps the container; its lease ends with this process and the reaper finds it.
        with (
            contextlib.suppress(WorkspaceError),
            engine_errors("removing a grading container"),
            contextlib.suppress(docker.errors.NotFound),
        ):
            api.remove_container(made["Id"], force=True, v=True)


def _follow(container: str, output: _Output, timeout_s: float, stop: StopSignal | None) -> bool:
    """Start the container and read it to its end; whether it ran out of time. Raises WorkspaceError, Cancelled."""
    api = thread_client().api
    with engine_errors("running a grading container"):
        stream = api.attach_socket(container, params={"stdout": 1, "stderr": 1, "stream": 1})
        connection: socket.socket = getattr(stream, "_sock", stream)
        try:
            api.start(container)
            started = time.monotonic()
            killed_at: float | None = None
            connection.settimeout(_POLL_S)
            while True:
                now = time.monotonic()
                if killed_at is None and stop is not None and stop.is_set:
                    api.kill(container)
                    raise Cancelled
                if killed_at is None and now - started > timeout_s:
                    _kill(api, container)
                    killed_at = now
                if killed_at is not None and now - killed_at > _PATIENCE_S:
                    raise WorkspaceError("the engine does not end a container that ran out of time")
                try:
                    data = connection.recv(1 << 16)
                except TimeoutError:
                    continue
                if not data:
                    break
                output.feed(data)
        finally:
            stream.close()
    output.close()
    if killed_at is None:
        _check_ended(container)
    return killed_at is not None and not output.complete


def _kill(api: Any, container: str) -> None:
    import docker.errors

    with contextlib.suppress(docker.errors.APIError):  # it ended by itself in this very moment
        api.kill(container)


def _check_ended(container: str) -> None:
    """The stream's end means the container's end, or an engine that went away; only the first is a result."""
    with engine_errors("waiting for a grading container"):
        thread_client().api.wait(container, timeout=_PATIENCE_S)


def _out_of_memory(container: str) -> bool:
    with engine_errors("looking at a grading container"):
        state = thread_client().api.inspect_container(container)["State"]
        return bool(state.get("OOMKilled"))


def _killed_outside(container: str, since: int) -> bool:
    """Whether the engine's own log has a kill of this container; what its processes do to each other is not there."""
    filters = {"container": container, "event": "kill"}
    with engine_errors("looking at the engine's events"):
        events = thread_client().api.events(since=since, until=int(time.time()) + 1, filters=filters, decode=True)
        return any(True for _ in events)


class _Output:
    """Takes the engine's framed stream apart and keeps the evaluation script's own part of it."""

    def __init__(self, file: BinaryIO, nonce: bytes, cap: int) -> None:
        self._file = file
        self._nonce = nonce
        self._left = cap
        self._raw = b""
        self._held = b""
        self.applied = False
        self.complete = False
        self.elided_bytes = 0
        self._started = False
        self._before: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take what the engine's connection gave: frames of an 8-byte header and that many bytes."""
        self._raw += data
        while len(self._raw) >= 8:
            size = int.from_bytes(self._raw[4:8], "big")
            if len(self._raw) < 8 + size:
                return
            self._text(self._raw[8 : 8 + size])
            self._raw = self._raw[8 + size :]

    def close(self) -> None:
        """Write what was held back; the output of a patch that does not apply is the log then."""
        if self._started:
            self._write(self._held)
        else:
            self._write(b">>>>> Patch Apply Failed\n" + self._held)
        self._held = b""

    def _text(self, text: bytes) -> None:
        self._held += text
        if not self._started:
            before, mark, after = self._held.partition(self._nonce + b" applied\n")
            if mark:
                self._started = self.applied = True
                self._held = after
            elif self._nonce + b" end\n" in before:
                self._held = before.replace(self._nonce + b" refused\n", b"").replace(self._nonce + b" end\n", b"")
                self.complete = True
                return
            else:
                return
        body, mark, _ = self._held.partition(b"\n" + self._nonce + b" end\n")
        if mark:
            self.complete = True
            self._write(body)
            self._held = b""
            return
        keep = len(self._nonce) + 8
        self._write(self._held[:-keep])
        self._held = self._held[-keep:]

    def _write(self, text: bytes) -> None:
        kept = text[: self._left]
        with writing(self._file.name):
            self._file.write(kept)
        self._left -= len(kept)
        self.elided_bytes += len(text) - len(kept)


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(f"{_FOLDER.strip('/')}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()

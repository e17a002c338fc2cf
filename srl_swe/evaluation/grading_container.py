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
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.docker.engine import engine_errors, thread_client
from srl_swe_envs.workspaces.leases import Lease

from .grading_output import Output
from .store import writing
from .verified import APPLY_COMMANDS

_FOLDER = "/srl-swe-grading"
_POLL_S = 1.0
_PATIENCE_S = 60.0
"""How long past the time-out an engine may take to end a container."""
_FLOOD = 16

Ending: TypeAlias = Literal["by_itself", "timed_out", "flooded", "cancelled"]


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
    """Longest log kept; what comes after is read and dropped, up to 16 times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingRun:
    """How a run ended; the log lies in the file that was given."""

    applied: bool
    timed_out: bool
    flooded: bool
    """Whether it was ended because it printed 16 times more than is kept."""
    complete: bool
    """Whether the driver came to its end. False without the two above: something killed it."""
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
        output = Output(file, nonce.encode(), limits.log_bytes)
        ending = _follow(container, output, limits, stop)
        out_of_memory = _out_of_memory(container)
        killed_outside = not output.complete and ending == "by_itself" and _killed_outside(container, began_at)
    return GradingRun(
        applied=output.applied,
        timed_out=ending == "timed_out",
        flooded=ending == "flooded",
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


def _follow(container: str, output: Output, limits: GradingLimits, stop: StopSignal | None) -> Ending:
    """Start the container and read it to its end. Raises WorkspaceError, StoreError, Cancelled."""
    api = thread_client().api
    with engine_errors("running a grading container"):
        stream = api.attach_socket(container, params={"stdout": 1, "stderr": 1, "stream": 1})
        connection: socket.socket = getattr(stream, "_sock", stream)
        connection.settimeout(_POLL_S)
        try:
            api.start(container)
            deadline = time.monotonic() + limits.timeout_s
            ending: Ending | None = None
            while True:
                why = None if ending else _reason_to_end(output, limits, deadline, stop)
                if why is not None:
                    ending, deadline = why, time.monotonic() + _PATIENCE_S
                    threading.Thread(target=_kill, args=(container,), daemon=True).start()
                elif ending is not None and time.monotonic() > deadline:
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
    if ending == "cancelled":
        raise Cancelled
    if ending is None:
        _check_ended(container)
    return "by_itself" if ending is None or output.complete else ending


def _reason_to_end(output: Output, limits: GradingLimits, deadline: float, stop: StopSignal | None) -> Ending | None:
    if stop is not None and stop.is_set:
        return "cancelled"
    if time.monotonic() > deadline:
        return "timed_out"
    return "flooded" if output.elided_bytes > _FLOOD * limits.log_bytes else None


def _kill(container: str) -> None:
    """End a container from a thread of its own: the engine waits for somebody to read what the container says."""
    from docker.errors import DockerException

    with contextlib.suppress(WorkspaceError, DockerException, OSError):
        thread_client().api.kill(container)


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


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(f"{_FOLDER.strip('/')}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()

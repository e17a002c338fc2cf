"""What a local workspace isolates on this machine, said in words, and how it can be had at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import WorkspaceError
from ..protocol import WorkspaceLimits
from . import seccomp
from .cgroups import CgroupPlan

Way = Literal["root", "user"]

_CAP_SYS_ADMIN = 21
FILE_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
REFUSED = (
    "this machine does not let us make a sandbox ({reason}). What helps: run as root, or allow user namespaces to "
    "ordinary users (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), or "
    "use the docker workspace. isolation='none' runs the agent's commands as plain processes of this machine: only "
    "for commands that you would run yourself."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """A statement about one workspace."""

    kind: Literal["namespaces", "none"]
    isolated: tuple[str, ...]
    not_isolated: tuple[str, ...]

    def __str__(self) -> str:
        head = "sandbox of namespaces" if self.kind == "namespaces" else "UNSAFE: no isolation"
        lines = [head, *(f"  isolated: {text}" for text in self.isolated)]
        return "\n".join([*lines, *(f"  NOT isolated: {text}" for text in self.not_isolated)])


def way_in() -> Way:
    """How namespaces can be had here: as root, or as an ordinary user. Raises WorkspaceError when not at all."""
    if os.uname().sysname != "Linux":
        raise WorkspaceError(REFUSED.format(reason=f"{os.uname().sysname} has no namespaces"))
    if not seccomp.supported():
        raise WorkspaceError(REFUSED.format(reason=f"no system-call table for {os.uname().machine}"))
    if os.geteuid() == 0 and _effective_capabilities() >> _CAP_SYS_ADMIN & 1 and _in_first_user_namespace():
        return "root"
    allowed = _number("/proc/sys/user/max_user_namespaces")
    if allowed == 0 or _number("/proc/sys/kernel/unprivileged_userns_clone") == 0:
        raise WorkspaceError(REFUSED.format(reason="user namespaces are switched off"))
    return "user"


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Says what would help when the first start of a sandbox fails inside."""
    try:
        yield
    except WorkspaceError as problem:
        raise WorkspaceError(REFUSED.format(reason=problem)) from problem


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _in_first_user_namespace() -> bool:
    """Whether root is the machine's, not that of a rootless container, which is an ordinary user to the kernel."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def describe(
    way: Way, limits: WorkspaceLimits, plan: CgroupPlan, capabilities: tuple[str, ...], *, host_files: bool
) -> Isolation:
    """The statement for a sandbox of namespaces."""
    tree = "the host's programs and libraries" if host_files else "the image"
    isolated = [
        f"files: sees {tree}, a made-up /etc and the task; writes go to a layer in memory that a reset drops"
        if host_files
        else f"files: sees {tree} and the task; writes go to a layer in memory that a reset drops",
        "processes, shared memory, host name: its own",
        "network: none but its own 127.0.0.1",
        f"privileges: no new ones, {_kept(capabilities)}, system calls filtered as docker's default profile does",
        f"disk: {limits.disk_bytes >> 20} MB may be written" if limits.disk_bytes else "disk: no limit but memory",
    ]
    not_isolated = ["the kernel is the host's own: a hole in it is a hole in the sandbox"]
    for name, limit, fallback in _limits(way, limits):
        if name in plan.keeps:
            isolated.append(f"{name}: {limit} for all processes together (control group)")
        elif fallback:
            not_isolated.append(f"{name}: no control group may be made here; instead {fallback}")
    if way == "root" and not capabilities:
        not_isolated.append("user ids are the host's own (without any privilege)")
    return Isolation(kind="namespaces", isolated=tuple(isolated), not_isolated=tuple(not_isolated))


def _kept(capabilities: tuple[str, ...]) -> str:
    if not capabilities:
        return "no capability"
    return f"only {', '.join(capabilities)} within its own user namespace (the task's files belong to another user)"


def _limits(way: Way, limits: WorkspaceLimits) -> tuple[tuple[str, str, str], ...]:
    tasks = "a limit per user" if way == "user" else "the agent kills what a command leaves behind beyond the limit"
    return (
        ("memory", f"{limits.memory_bytes >> 20} MB", "every single process is limited to that (RLIMIT_AS)"),
        ("pids", f"{limits.pids} processes and threads", tasks),
        ("cpu", f"{limits.cpus:g} processors", "no limit"),
    )


UNSAFE = Isolation(
    kind="none",
    isolated=("the task's files: a temporary copy (by agreement only: any command can leave it)",),
    not_isolated=(
        "files: a command can read and write whatever the user running this can",
        "processes, network, memory, disk: the host's own, without limits",
        "a reset brings back the task's files alone",
    ),
)

"""Where this machine lets us make control groups, and what to write there for a sandbox's limits."""

from __future__ import annotations

import contextlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from ..protocol import WorkspaceLimits

_MOUNTS = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_OWN_TASKS = 2  # the launcher lives in the groups too, and so does what it forks for a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupPlan:
    """Control groups to make: (directory, ((file, value), ...)), and which limits they keep."""

    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    keeps: frozenset[str]
    """Of `memory`, `pids`, `cpu`."""


def plan(limits: WorkspaceLimits) -> CgroupPlan:
    """What can be kept here; nothing where no control group may be made. Makes nothing itself."""
    name = f"srl-swe-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    if (_MOUNTS / "cgroup.controllers").exists():
        return _unified(limits, name)
    return _separate(limits, name)


def remove_stale() -> int:
    """Remove the control groups of sandboxes whose launcher was killed too early; how many were removed.

    A group that still holds a process can't be removed, so a living sandbox is safe in any case.
    """
    removed = 0
    for parent in {Path(folder).parent for folder, _ in plan(WorkspaceLimits()).groups}:
        for path in parent.glob("srl-swe-*-*"):
            if not Path("/proc", path.name.split("-")[2]).exists():
                with contextlib.suppress(OSError):
                    path.rmdir()
                    removed += 1
    return removed


def _unified(limits: WorkspaceLimits, name: str) -> CgroupPlan:
    enabled = (_MOUNTS / "cgroup.subtree_control").read_text(encoding="ascii").split()
    if not os.access(_MOUNTS, os.W_OK):
        return CgroupPlan(groups=(), keeps=frozenset())
    settings: list[tuple[str, str]] = []
    keeps = set()
    wanted = (
        ("memory", "memory.max", limits.memory_bytes, str(limits.memory_bytes)),
        ("memory", "memory.swap.max", limits.memory_bytes, "0"),
        ("pids", "pids.max", limits.pids, str(limits.pids + _OWN_TASKS)),
        ("cpu", "cpu.max", limits.cpus, f"{int(limits.cpus * _PERIOD_US)} {_PERIOD_US}"),
    )
    for controller, file, limit, value in wanted:
        swap_absent = file == "memory.swap.max" and not Path("/proc/swaps").exists()
        if limit and controller in enabled and not swap_absent:
            settings.append((file, value))
            keeps.add(controller)
    groups = ((str(_MOUNTS / name), tuple(settings)),) if settings else ()
    return CgroupPlan(groups=groups, keeps=frozenset(keeps))


def _separate(limits: WorkspaceLimits, name: str) -> CgroupPlan:
    memory, quota = str(limits.memory_bytes), str(int(limits.cpus * _PERIOD_US))
    wanted: dict[str, tuple[float, tuple[tuple[str, str], ...]]] = {
        "memory": (limits.memory_bytes, (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory))),
        "pids": (limits.pids, (("pids.max", str(limits.pids + _OWN_TASKS)),)),
        "cpu": (limits.cpus, (("cpu.cfs_period_us", str(_PERIOD_US)), ("cpu.cfs_quota_us", quota))),
    }
    groups = []
    for controller, (limit, settings) in wanted.items():
        parent = _own_group(controller)
        if limit and parent is not None:
            # without swap accounting there is no memsw file; the top group lacks pids.max, its children have it
            present = tuple(pair for pair in settings if "memsw" not in pair[0] or (parent / pair[0]).exists())
            groups.append((str(parent / name), present))
    return CgroupPlan(groups=tuple(groups), keeps=frozenset(Path(folder).parts[4] for folder, _ in groups))


def _own_group(controller: str) -> Path | None:
    """This process's own directory of a version 1 controller, where it may make others below it."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            mount = _MOUNTS / controller
            for folder in (mount / path.lstrip("/"), mount):
                if folder.is_dir() and os.access(folder, os.W_OK):
                    return folder
    return None

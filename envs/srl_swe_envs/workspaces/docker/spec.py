"""What a container is made of: image, limits, guards. And the engine's arguments that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..leases import DEFAULT_LEASE_S, Lease
from ..protocol import WorkspaceLimits
from ..runner import CommandRunner
from .runtime import agent_command

PYTHON_MOUNT = "/.srl-swe/python"
LINK_MOUNT = "/.srl-swe/link"
SOCKET_NAME = "agent.sock"
OPEN_FILES = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One kind of container. Equal specs share a warm pool, so `prepare` should be a module's function or kept."""

    image: str
    workdir: str = "/testbed"
    """Where the task's repository lies; commands start there."""
    env: tuple[tuple[str, str], ...] = ()
    """Added to the image's own environment."""
    limits: WorkspaceLimits = field(default_factory=WorkspaceLimits)
    session: bool = True
    """Whether the directory and exported variables carry over from one command to the next."""
    prepare: Callable[[CommandRunner], None] | None = None
    """Run once on a fresh container of the image (the history guard, say); every container then starts from the
    result."""
    network: bool = False
    """The guard against the network; True gives the engine's default network."""
    capabilities: tuple[str, ...] = ()
    """Kept in spite of the guard that drops all of them, e.g. `("CHOWN",)`."""
    tmp_bytes: int = 512 << 20
    """Size of the memory file system at /tmp; 0 leaves /tmp on the container's disk."""
    run: str = ""
    """The run's name for the lease."""
    lease_s: float = DEFAULT_LEASE_S


def container_arguments(spec: ContainerSpec, *, image: str, lease: Lease, python: Path, link: Path) -> dict[str, Any]:
    """Arguments of the SDK's `create_container`, `host_config` as the keywords of `create_host_config`."""
    return {
        "image": image,
        "entrypoint": list(agent_command(PYTHON_MOUNT, f"{LINK_MOUNT}/{SOCKET_NAME}")),
        "command": [],
        "user": "0:0",
        "working_dir": "/",
        "labels": lease.labels(),
        "detach": True,
        "tty": False,
        "stdin_open": False,
        "healthcheck": {"test": ["NONE"]},
        "host_config": {**_guards(spec), **_mounts(spec, python, link)},
    }


def _guards(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.limits
    ulimits = [
        {"Name": "core", "Soft": 0, "Hard": 0},
        {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
    ]
    if limits.disk_bytes:  # the usual storage drivers have no quota: this bounds one file
        ulimits.append({"Name": "fsize", "Soft": limits.disk_bytes, "Hard": limits.disk_bytes})
    return {
        "auto_remove": True,
        "network_mode": "default" if spec.network else "none",
        "cap_drop": ["ALL"],
        "cap_add": list(spec.capabilities),
        "security_opt": ["no-new-privileges"],
        "pids_limit": limits.pids or -1,
        "mem_limit": limits.memory_bytes or None,
        "memswap_limit": limits.memory_bytes or None,
        "nano_cpus": round(limits.cpus * 1e9) or None,
        "ulimits": ulimits,
        "log_config": {"Type": "none", "Config": {}},
    }


def _mounts(spec: ContainerSpec, python: Path, link: Path) -> dict[str, Any]:
    tmp = {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={spec.tmp_bytes}"} if spec.tmp_bytes else {}
    return {
        "binds": [f"{python}:{PYTHON_MOUNT}:ro", f"{link}:{LINK_MOUNT}:ro"],
        "tmpfs": tmp,
    }

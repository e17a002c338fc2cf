"""What the host tells the launcher: plain data, because it crosses a process border by `marshal`."""

from __future__ import annotations

from typing import TypedDict


class Spec(TypedDict):
    """The sandbox, the same at every start."""

    trees: tuple[tuple[str, str], ...]
    """(directory of the host, path inside), the root first. A relative directory lies in the launcher's own tmpfs."""
    files: tuple[tuple[str, str, int], ...]
    """(path below the skeleton, contents, mode) to make there."""
    copies: tuple[tuple[str, str], ...]
    """(file of the host, path below the skeleton)."""
    folders: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str], ...]
    """(path below the skeleton, target)."""
    mount_points: tuple[str, ...]
    """Where the launcher may put its own tmpfs: directories that hold nothing it needs."""
    user_namespace_first: bool
    """An ordinary user's way: all mounts are made inside a user namespace."""
    disk_bytes: int
    shm_bytes: int
    resource_limits: tuple[tuple[int, int], ...]
    cgroups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(directory of a control group to make, (file, value) to write there)."""
    pid_max: int
    """Largest process number in the sandbox where the kernel keeps it per namespace; 0: leave it."""
    capabilities: tuple[str, ...]
    seccomp: bool
    hostname: str

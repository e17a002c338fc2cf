"""From what the user asks for to the launcher's spec."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError
from ..protocol import WorkspaceLimits
from . import cgroups, rootfs
from .isolation import FILE_CAPABILITIES, Isolation, Way, describe, way_in
from .spec import Spec

_SKELETON = "skeleton"
_MOUNT_POINTS = ("/sys", "/mnt", "/media", "/srv", "/opt", "/boot")
_SHM_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandboxed:
    """A sandbox to be: its spec, what it isolates, and the environment its commands get."""

    spec: Spec
    isolation: Isolation
    env: Mapping[str, str]


def assemble(
    source: Path | None,
    workdir: str,
    image: Path | str | None,
    expose: tuple[Path, ...] | None,
    limits: WorkspaceLimits,
) -> Sandboxed:
    """Plan a sandbox; makes nothing yet. Raises ConfigError and WorkspaceError."""
    way = way_in()
    plan = cgroups.plan(limits)
    trees = _trees(source, workdir, image, expose)
    capabilities = FILE_CAPABILITIES if way == "root" and _foreign(source, image) else ()
    host_files = image is None
    spec = Spec(
        trees=trees,
        files=rootfs.etc_files() if host_files else (),
        folders=rootfs.FOLDERS if host_files else (),
        links=rootfs.host_links() if host_files else (),
        copies=rootfs.etc_copies() if host_files else (),
        mount_points=_free_mount_points(trees),
        user_namespace_first=way == "user",
        disk_bytes=limits.disk_bytes,
        shm_bytes=_SHM_BYTES,
        resource_limits=_resource_limits(limits, plan, way),
        cgroups=plan.groups,
        pid_max=0 if "pids" in plan.keeps or not limits.pids else limits.pids + 300,
        capabilities=capabilities,
        seccomp=True,
        hostname="sandbox",
    )
    statement = describe(way, limits, plan, capabilities, host_files=host_files)
    return Sandboxed(spec=spec, isolation=statement, env=_environment(host_files=host_files))


def _environment(*, host_files: bool) -> dict[str, str]:
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    # the task's files may belong to another user than the sandbox's root
    trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    path = rootfs.search_path() if host_files else usual
    return {"PATH": path, "HOME": "/root", "USER": "root", "LANG": "C.UTF-8", **trust}


def _trees(
    source: Path | None, workdir: str, image: Path | str | None, expose: tuple[Path, ...] | None
) -> tuple[tuple[str, str], ...]:
    if image is not None:
        root = Path(image).resolve()
        if not root.is_dir():
            raise ConfigError(f"rootfs {image} is not a directory: unpack the image there first")
        trees: tuple[tuple[str, str], ...] = ((str(root), ""),)
        extra = tuple((str(Path(folder).resolve()), os.path.abspath(folder)) for folder in expose or ())
        trees += extra
    else:
        shown = rootfs.interpreter_folders() if expose is None else expose
        trees = ((_SKELETON, ""), *rootfs.host_trees(shown))
    if source is not None:
        trees += ((str(source), os.path.normpath(workdir)),)
    return trees


def _free_mount_points(trees: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Directories that may be covered, in the launcher's own view, because no tree of the sandbox lies below."""
    return tuple(point for point in _MOUNT_POINTS if not any(Path(source).is_relative_to(point) for source, _ in trees))


def _foreign(source: Path | None, image: Path | str | None) -> bool:
    """Whether the task's files belong to somebody else, so that root without capabilities can't write them."""
    if image is not None:
        return True
    return source is not None and source.stat().st_uid != 0


def _resource_limits(limits: WorkspaceLimits, plan: cgroups.CgroupPlan, way: Way) -> tuple[tuple[int, int], ...]:
    chosen = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 65536)]
    if limits.memory_bytes and "memory" not in plan.keeps:
        chosen.append((resource.RLIMIT_AS, limits.memory_bytes))
    if limits.pids and "pids" not in plan.keeps and way == "user":
        chosen.append((resource.RLIMIT_NPROC, limits.pids))
    return tuple(chosen)

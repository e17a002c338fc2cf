"""Removes what killed runs left behind: containers, snapshot images, volumes and leased directories.

`reap()` is called at the start of a run and by `srl-swe clean`. It never touches what a living run owns; see
`workspaces.leases` for the rule. Two reapers at once are harmless: what the other removed first is no error.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WorkspaceError
from .docker.engine import connect, engine_errors
from .leases import CACHE_PREFIX, LABEL_OWNER, Lease, lease_root, maker_of, read_lease, remove_leased_directory

UNLEASED_GRACE_S = 600.0
"""How long a directory stays that has no lease and that nobody seen from here is making."""
REMOVAL_PATIENCE_S = 60.0
"""How long a removal that somebody else has begun is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReapReport:
    """What was removed, what stays, and what could not be done."""

    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    kept: int = 0
    """Leased things of living owners, or of owners elsewhere whose lease still runs."""
    problems: tuple[str, ...] = ()
    """One line for each thing that could not be removed, and for an engine that does not answer."""

    @property
    def removed(self) -> int:
        """How many things were removed."""
        return len(self.containers) + len(self.images) + len(self.volumes) + len(self.directories)


def reap() -> ReapReport:
    """Remove everything whose lease is over; never raises for a single thing that resists."""
    problems: list[str] = []
    containers, images, volumes, kept = _reap_engine(problems)
    directories, kept_directories = _reap_directories(problems)
    return ReapReport(
        containers=containers,
        images=images,
        volumes=volumes,
        directories=directories,
        kept=kept + kept_directories,
        problems=tuple(problems),
    )


_Removed = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], int]


def _reap_engine(problems: list[str]) -> _Removed:
    try:
        client = connect()
        with contextlib.closing(client), engine_errors("removing what killed runs left"):
            return _reap_by(client.api, problems)
    except WorkspaceError as error:
        problems.append(str(error))
        return (), (), (), 0


def _reap_by(api: Any, problems: list[str]) -> _Removed:
    # Containers first: an image or a volume in use can't be removed.
    containers = api.containers(all=True, filters={"label": LABEL_OWNER})
    removed_containers, kept = _remove_leased(
        ((container["Id"], container.get("Labels")) for container in containers),
        lambda name: api.remove_container(name, force=True, v=True),
        problems,
    )
    removed_images, kept_images = _remove_images(api, problems)
    volumes = api.volumes(filters={"label": LABEL_OWNER}).get("Volumes") or []
    removed_volumes, kept_volumes = _remove_leased(
        ((volume["Name"], volume.get("Labels")) for volume in volumes),
        lambda name: api.remove_volume(name, force=True),
        problems,
    )
    return removed_containers, removed_images, removed_volumes, kept + kept_images + kept_volumes


def _remove_images(api: Any, problems: list[str]) -> tuple[tuple[str, ...], int]:
    """Snapshots of snapshots first: an image with children stays until they are gone."""
    removed: tuple[str, ...] = ()
    while True:
        resisting: list[str] = []
        images = api.images(all=True, filters={"label": LABEL_OWNER})
        gone, kept = _remove_leased(
            ((image["Id"], image.get("Labels")) for image in images),
            lambda name: api.remove_image(name, force=True, noprune=True),
            resisting,
        )
        removed += gone
        if not gone or not resisting:
            problems.extend(resisting)
            return removed, kept


def _remove_leased(
    things: Iterable[tuple[str, Mapping[str, str] | None]],
    remove: Callable[[str], Any],
    problems: list[str],
) -> tuple[tuple[str, ...], int]:
    from docker.errors import APIError

    removed: list[str] = []
    kept = 0
    for name, labels in things:
        try:
            over = Lease.from_labels(labels or {}).is_over()
        except (KeyError, ValueError):
            problems.append(f"{name}: has a {LABEL_OWNER} label that is no lease; remove it by hand")
            continue
        if not over:
            kept += 1
            continue
        try:
            if _remove_or_wait(name, remove):
                removed.append(name)
        except APIError as error:
            problems.append(f"{name}: {error.explanation or error}")
    return tuple(removed), kept


def _remove_or_wait(name: str, remove: Callable[[str], Any]) -> bool:
    """Remove a thing; False when another reaper, or the engine's own auto-remove, did so. It is gone either way."""
    from docker.errors import APIError

    deadline = time.monotonic() + REMOVAL_PATIENCE_S
    while True:
        try:
            remove(name)
        except APIError as error:
            if error.status_code == 404:
                return False
            if "already in progress" not in str(error.explanation) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return True


def _reap_directories(problems: list[str]) -> tuple[tuple[str, ...], int]:
    removed: list[str] = []
    kept = 0
    for path in sorted(lease_root().iterdir()):
        if not path.is_dir() or path.is_symlink() or path.name.startswith(CACHE_PREFIX):
            continue
        if not _directory_is_over(path):
            kept += 1
            continue
        try:
            unmount_below(path)
            remove_leased_directory(path)
            if path.exists():
                shutil.rmtree(path)  # says what resists
            removed.append(str(path))
        except FileNotFoundError:
            continue
        except (OSError, WorkspaceError) as error:
            problems.append(f"{path}: {error}")
    return tuple(removed), kept


def _directory_is_over(path: Path) -> bool:
    lease = read_lease(path)
    if lease is not None:
        return lease.is_over()
    maker = maker_of(path)
    if maker is not None and maker.state() != "elsewhere":
        return maker.state() == "dead"
    try:
        # An empty one is the last a removal leaves: what is being made has a name of its own.
        return not any(path.iterdir()) or time.time() - path.stat().st_mtime > UNLEASED_GRACE_S
    except FileNotFoundError:
        return False


def unmount_below(path: Path) -> None:
    """Unmount everything mounted at or below a directory, the innermost first; raises WorkspaceError when one stays.

    Removing the directory before that would delete through the mounts.
    """
    for target in reversed(_mounts_below(path)):
        done = subprocess.run(["umount", "--lazy", target], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise WorkspaceError(f"cannot unmount {target}: {done.stderr.strip()}")


def _mounts_below(path: Path) -> list[str]:
    """Mount points at or below `path` in the order they were mounted."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    points = [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split(" ")[4]) for line in lines]
    inside = str(path) + "/"
    return [point for point in points if point == str(path) or point.startswith(inside)]

"""Looks for the fix outside the repository: package caches, installed and vendored copies, other clones.

A task on `psf/requests` runs in an image whose `pip/_vendor/requests` is years newer than the task's commit. Such
copies often can't be removed without breaking the image, so they are reported with the task and their readers are
flagged by the audit (`guards.audit`); caches that nothing needs are removed by `remove_caches`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, get_args

from ..errors import WorkspaceError
from ..workspaces.runner import CommandRunner

LeakKind = Literal["package_cache", "other_repository", "vendored_copy", "installed_copy", "archive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One place outside the work tree that may hold the fixed code."""

    kind: LeakKind
    path: str


def find_leaks(
    workspace: CommandRunner, *, workdir: str, package: str = "", timeout_s: float = 300.0
) -> tuple[Leak, ...]:
    """Every place outside `workdir` that may hold another version of the task's code.

    `package`: its import name (`audit.package_name(task)`); empty looks for caches and other repositories only. Raises
    WorkspaceError when the search did not come to its end.
    """
    script = files(__package__).joinpath("leaks.sh").read_text(encoding="utf-8")
    arguments = shlex.join((workdir.rstrip("/"), package))
    ran = workspace.run(f"(\nset -- {arguments}\n{script}\n)", timeout_s=timeout_s)
    lines = ran.output.splitlines()
    if "searched" not in lines:
        raise WorkspaceError(f"the search for leaks did not finish: {ran.output[-500:].strip()}")
    found: dict[Leak, None] = {}
    for line in lines:
        if line.startswith("leak "):
            _, kind, path = line.split(" ", 2)
            found.update((Leak(kind=known, path=path), None) for known in get_args(LeakKind) if known == kind)
    return tuple(found)


def remove_caches(workspace: CommandRunner, leaks: Iterable[Leak], *, timeout_s: float = 300.0) -> None:
    """Remove the package caches among the leaks; the rest stays, because something may need it."""
    caches = [leak.path for leak in leaks if leak.kind == "package_cache"]
    if not caches:
        return
    ran = workspace.run(f"rm -rf -- {shlex.join(caches)}", timeout_s=timeout_s)
    if ran.exit_code != 0:
        raise WorkspaceError(f"can't remove {', '.join(caches)}: {ran.output[-300:].strip()}")

"""The guards that act on a task's files before the agent sees them, as one step that a workspace runs once."""

from __future__ import annotations

from dataclasses import dataclass

from ..tasks import Task
from ..workspaces.runner import CommandRunner
from .history import remove_future
from .leaks import find_leaks, remove_caches


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Which guards are on; all are, unless switched off by name."""

    network: bool = True
    """No network but the container's own loopback."""
    capabilities: bool = True
    """No capability. Switched off, a container's root may change owners and ignore permissions, no more."""
    history: bool = True
    """Nothing of the repository's future; an image where something remains is refused."""
    caches: bool = True
    """No package caches outside the work tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """The history and cache guards for one task; equal ones are shared by a warm pool."""

    workdir: str
    base_commit: str
    history: bool
    caches: bool

    def __call__(self, workspace: CommandRunner) -> None:
        """Raises ConfigError when the task's image can't be made safe, WorkspaceError when a guard could not run."""
        if self.history:
            remove_future(workspace, workdir=self.workdir, base_commit=self.base_commit)
        if self.caches:
            remove_caches(workspace, find_leaks(workspace, workdir=self.workdir))


def preparation(task: Task, guards: Guards) -> Preparation | None:
    """What to run in a fresh container of the task's image; None when those guards are off."""
    if not (guards.history or guards.caches):
        return None
    return Preparation(workdir=task.workdir, base_commit=task.base_commit, history=guards.history, caches=guards.caches)

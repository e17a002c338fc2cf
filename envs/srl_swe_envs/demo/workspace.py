"""A local workspace that holds a demo task."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import MappingProxyType

from ..tasks import Task
from ..workspaces.local.workspace import LocalWorkspace
from .tasks import materialise

ENVIRONMENT = MappingProxyType(
    {
        # a file that is edited twice within a second would leave a stale .pyc behind
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "COLUMNS": "80",
    }
)


class DemoWorkspace(LocalWorkspace):
    """`LocalWorkspace` with a demo task's repository at the task's `workdir`; its files go when it is closed."""

    def __init__(self, task: Task) -> None:
        """Materialise the task and start the sandbox. Raises ConfigError and WorkspaceError."""
        self._folder = tempfile.TemporaryDirectory(prefix="srl-swe-demo-")
        try:
            materialise(task, Path(self._folder.name))
            super().__init__(self._folder.name, workdir=task.workdir, env=ENVIRONMENT)
        except BaseException:
            self._folder.cleanup()
            raise

    def close(self) -> None:
        """End the sandbox and remove the task's files. May be called twice."""
        super().close()
        self._folder.cleanup()


def open_demo_workspace(task: Task) -> DemoWorkspace:
    """A workspace for a demo task, as `SweEnv(open_workspace=...)` wants it."""
    return DemoWorkspace(task)

"""The workspaces that `benchmarks/workspace.py` and `benchmarks/attacks.py` compare, behind one small interface."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits


class Started(Protocol):
    """A workspace of a contender that runs commands now."""

    def run(self, command: str, timeout_s: float) -> object:
        """Run a command; what it returns is the contender's own."""
        ...

    def close(self) -> None:
        """End it and wait until it is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A way to get workspaces."""

    name: str
    start: Callable[[], Started]
    """Start a workspace whose directory is the source's repository."""
    states: bool = False
    """Whether the started workspace has `reset`, `snapshot` and `restore`."""
    settle: Callable[[], None] = lambda: None
    """Wait until what runs in the background has caught up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What all contenders work on: a repository, and an image with it at /testbed where there is an engine."""

    repository: Path
    image: str = ""
    limits: WorkspaceLimits = field(default_factory=WorkspaceLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurStarted:
    """One of our workspaces."""

    workspace: Workspace

    def run(self, command: str, timeout_s: float) -> object:
        return self.workspace.run(command, timeout_s=timeout_s)

    def reset(self) -> None:
        self.workspace.reset()

    def snapshot(self) -> str:
        return self.workspace.snapshot()

    def restore(self, name: str) -> None:
        self.workspace.restore(name)

    def close(self) -> None:
        self.workspace.close()


def local(source: Source) -> Contender:
    """Our sandbox of namespaces."""

    def start() -> OurStarted:
        return OurStarted(workspace=LocalWorkspace(source.repository, limits=source.limits))

    return Contender(name="local", start=start, states=True)


CONTENDERS: Mapping[str, Callable[[Source], Contender]] = {"local": local}


@contextmanager
def example_repository() -> Iterator[Path]:
    """A git repository with one file of 2,000 lines and 200 small ones."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        (folder / "module.py").write_text("".join(f"value_{line} = {line}\n" for line in range(2000)))
        for number in range(200):
            (folder / f"part_{number}.py").write_text(f"part = {number}\n")
        git = ["git", "-c", "user.name=b", "-c", "user.email=b@b", "-C", str(folder)]
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "state"]):
            subprocess.run([*git, *arguments], check=True)
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)

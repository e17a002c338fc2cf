"""Opens the workspace of a task: a container of its image, or for demo tasks also a sandbox of this machine.

One `Workspaces` serves a whole run; what it makes on the way (checkouts, prepared images) goes with it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from srl_swe_envs.demo import materialise
from srl_swe_envs.demo.workspace import ENVIRONMENT
from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits
from srl_swe_envs.workspaces.runner import CommandRunner

from .items import Item

if TYPE_CHECKING:
    from srl_swe_envs.workspaces.docker.pool import WarmPool
    from srl_swe_envs.workspaces.docker.spec import ContainerSpec
    from srl_swe_envs.workspaces.docker.workspace import OneByOne

Backend: TypeAlias = Literal["docker", "local"]

BASE_IMAGE = "srl-swe/base:bookworm"
_TESTBED_BIN = "/opt/miniconda3/envs/testbed/bin"
_PATH = f"{_TESTBED_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEMO_SCRIPT = """\
python3 -m venv /opt/demo
/opt/demo/bin/python -m pip install -q --no-cache-dir pytest
mkdir -p /testbed
"""


def choose_backend(wanted: str, items: tuple[Item, ...], *, said: Callable[[str], None] = print) -> Backend:
    """`docker` or `local` from `auto`, `docker` or `local`; raises ConfigError when the tasks can't run there."""
    from srl_swe_envs.workspaces.docker.engine import engine_problem

    rows = any(item.row is not None for item in items)
    if wanted == "local" and rows:
        raise ConfigError("rows of a SWE-bench data set need containers; only demo tasks run in the local sandbox")
    if wanted == "local":
        return "local"
    problem = engine_problem()
    if problem is None and not rows:
        problem = _demo_image_problem(said)
    if problem is None:
        return "docker"
    if wanted == "docker" or rows:
        raise WorkspaceError(problem)
    said(f"demo tasks run in the local sandbox, not in containers: {problem}")
    return "local"


@dataclass(slots=True)
class Workspaces:
    """Opens workspaces of one back end."""

    backend: Backend
    run: str = ""
    """The run's name on leases."""
    limits: WorkspaceLimits = field(default_factory=lambda: WorkspaceLimits(cpus=1.0))
    warm: int = 0
    """Containers kept ready for all tasks together; 0 starts each when it is asked for."""
    _folder: Path = Path()
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _prepared: dict[str, Callable[[CommandRunner], None]] = field(default_factory=dict)
    _source: OneByOne | WarmPool | None = None

    @contextlib.contextmanager
    def ready(self) -> Iterator[Workspaces]:
        """Usable inside the `with` block; what was made goes at its end."""
        from srl_swe_envs.workspaces.leases import leased_directory

        with leased_directory("evaluation", run=self.run) as folder:
            self._folder = folder
            if self.backend == "docker":
                self._source = self._containers()
            try:
                yield self
            finally:
                if self._source is not None:
                    with contextlib.suppress(WorkspaceError):
                        self._source.close()

    def _containers(self) -> OneByOne | WarmPool:
        from srl_swe_envs.workspaces.docker.pool import WarmPool
        from srl_swe_envs.workspaces.docker.workspace import OneByOne

        return WarmPool(ready_per_spec=min(2, self.warm), max_ready=self.warm) if self.warm else OneByOne()

    def open(self, task: Task) -> Workspace:
        """A fresh workspace for grading. Raises WorkspaceError."""
        if self.backend == "local":
            from srl_swe_envs.workspaces.local.workspace import LocalWorkspace

            return LocalWorkspace(self._checkout(task), workdir=task.workdir, env=ENVIRONMENT, limits=self.limits)
        from srl_swe_envs.workspaces.docker.workspace import DockerWorkspace

        return DockerWorkspace(self._spec(task), source=self._source)

    def open_for_agent(self, task: Task) -> Workspace:
        """A fresh workspace from which no later commit of the repository can be reached.

        Raises WorkspaceError; ConfigError when the image leads to later commits and can't be mended.
        """
        workspace = self.open(task)
        if task.image:
            from srl_swe_envs.guards.history import remove_future

            try:
                remove_future(workspace, workdir=task.workdir, base_commit=task.base_commit)
            except BaseException:
                workspace.close()
                raise
        return workspace

    def _checkout(self, task: Task) -> Path:
        """The folder of a demo task's repository, made once."""
        folder = self._folder / task.id
        with self._lock:
            if not folder.exists():
                making = Path(tempfile.mkdtemp(dir=self._folder, prefix="making-"))
                materialise(task, making)
                making.chmod(0o755)
                making.rename(folder)
        return folder

    def _spec(self, task: Task) -> ContainerSpec:
        from srl_swe_envs.workspaces.docker.spec import ContainerSpec

        if task.image:
            # Published images activate their environment in a login file that no command of ours reads.
            env = (("PATH", _PATH), ("CONDA_DEFAULT_ENV", "testbed"))
            return ContainerSpec(image=task.image, workdir=task.workdir, env=env, limits=self.limits, run=self.run)
        return ContainerSpec(
            image=demo_image(),
            workdir=task.workdir,
            env=tuple(ENVIRONMENT.items()),
            limits=self.limits,
            prepare=self._prepare(task),
            run=self.run,
        )

    def _prepare(self, task: Task) -> Callable[[CommandRunner], None]:
        """Puts a demo task's repository into a container; the same function each time, as equal specs need."""
        folder = self._checkout(task)
        with self._lock:
            return self._prepared.setdefault(task.id, lambda workspace: _put(workspace, folder, task.workdir))


def _put(workspace: CommandRunner, folder: Path, workdir: str) -> None:
    """Unpack a small repository; it travels inside the command."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".", filter=_owned_by_root)
    text = base64.encodebytes(buffer.getvalue()).decode("ascii")
    done = workspace.run(f"base64 -d <<'END' | tar -C {workdir} -xz\n{text}END\n", timeout_s=60)
    if done.exit_code != 0:
        raise WorkspaceError(f"the task's repository could not be unpacked: {done.output[-300:]}")


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def demo_image() -> str:
    """The image of all demo tasks: the base image with pytest."""
    return f"srl-swe/demo:{hashlib.sha256(_DEMO_SCRIPT.encode()).hexdigest()[:12]}"


def _demo_image_problem(said: Callable[[str], None]) -> str | None:
    """Make the demo image unless it is there; why it can't be made, in one line."""
    from .build_container import Step, build, image_recipe

    if image_recipe(demo_image()) is not None:
        return None
    said(f"making {demo_image()} (once)")
    step = Step(
        parent=BASE_IMAGE,
        script=_DEMO_SCRIPT,
        image=demo_image(),
        recipe="demo",
        changes=("ENV PATH=/opt/demo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
        network=True,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="srl-swe-demo-") as logs:
            build(step, Path(logs) / "build.log")
    except ConfigError as error:
        return str(error)
    return None

"""Workspaces of every back end, for tests that hold for all of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace
from srl_swe_envs.workspaces.docker.container import remove_image
from srl_swe_envs.workspaces.docker.images import image_with_folder
from srl_swe_envs.workspaces.local.isolation import way_in
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits

WorkspaceFactory = Callable[..., Workspace]


def make_repository(folder: Path) -> Path:
    """A small git repository with two commits."""
    folder.mkdir(parents=True)
    (folder / "pkg").mkdir()
    (folder / "pkg/core.py").write_text("def area(width, height):\n    return width + height\n")
    (folder / "README").write_text("first\n")
    (folder / ".gitignore").write_text("*.pyc\n")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(folder))
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for text in ("first\n", "second\n"):
        (folder / "README").write_text(text)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", text.strip()], check=True)
    return folder


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task's files of every test here; never changed."""
    return make_repository(tmp_path_factory.mktemp("source") / "repo")


@pytest.fixture(scope="session")
def repository_image(base_image: str, repository: Path) -> Iterator[str]:
    """`repository` in a container image; the test skips where there is no engine."""
    image = image_with_folder(base_image, repository)
    yield image
    remove_image(image)


@pytest.fixture(scope="module", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def workspace_factory(request: pytest.FixtureRequest, repository: Path) -> Iterator[WorkspaceFactory]:
    """Makes workspaces of one back end, on `repository`; closes them after the module."""
    with ExitStack() as stack:
        if request.param == "docker":
            image = request.getfixturevalue("repository_image")

            def make_docker(limits: WorkspaceLimits | None = None) -> Workspace:
                spec = ContainerSpec(image=image, limits=limits or WorkspaceLimits())
                return stack.enter_context(DockerWorkspace(spec))

            yield make_docker
            return

        def make(limits: WorkspaceLimits | None = None) -> Workspace:
            try:
                way_in()
            except WorkspaceError as problem:
                pytest.skip(str(problem))
            return stack.enter_context(LocalWorkspace(repository, limits=limits))

        yield make

"""Local workspaces on a small repository; everything here skips where the kernel allows none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.local.isolation import way_in
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace


@pytest.fixture(scope="module", autouse=True)
def needs_namespaces() -> None:
    try:
        way_in()
    except WorkspaceError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def workspace(repository: Path) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(repository) as workspace:
        yield workspace

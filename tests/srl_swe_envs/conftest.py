"""What several test modules of the world share."""

from __future__ import annotations

import os

import pytest

from srl_swe_envs.workspaces.docker import engine_problem
from srl_swe_envs.workspaces.docker.engine import connect

BASE_IMAGE = os.environ.get("SRL_SWE_BASE_IMAGE", "srl-swe/base:bookworm")


@pytest.fixture(scope="session")
def base_image() -> str:
    """The image that `containers/engine.sh base` makes. Without it or an engine, tests skip; in CI they fail."""
    problem = engine_problem() or _image_problem()
    if problem is None:
        return BASE_IMAGE
    if os.environ.get("CI"):
        pytest.fail(f"containers must work in CI: {problem}")
    pytest.skip(problem)


def _image_problem() -> str | None:
    import docker.errors

    client = connect()
    try:
        client.images.get(BASE_IMAGE)
    except docker.errors.ImageNotFound:
        return f"no image {BASE_IMAGE}: run containers/engine.sh base"
    finally:
        client.close()
    return None

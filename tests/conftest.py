"""What all tests share: which run beside each other, and the engine that container tests need."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from srl_swe_envs.workspaces.docker import engine_problem
from srl_swe_envs.workspaces.docker.engine import connect

# The same examples in every run, and none of them fails because the machine was busy.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

BASE_IMAGE = os.environ.get("SRL_SWE_BASE_IMAGE", "srl-swe/base:bookworm")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its group: a file stays on one worker, and so do all files that use the machine's engine."""
    engine = {item.path for item in items if item.get_closest_marker("docker")}
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("engine" if item.path in engine else file))


@pytest.fixture(scope="session")
def base_image() -> str:
    """The image that `containers/engine.sh base` makes. Without it or an engine, tests skip; in CI they fail."""
    problem = engine_problem() or _image_problem()
    if problem is None:
        return BASE_IMAGE
    if os.environ.get("CI"):
        pytest.fail(f"containers must work in CI: {problem}")
    pytest.skip(problem)


@pytest.fixture(autouse=True)
def _engine(request: pytest.FixtureRequest) -> None:
    """Whatever is marked `docker` needs the image."""
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("base_image")


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

"""The image of the task set in `rowset.py`."""

from __future__ import annotations

import os

import pytest

from srl_swe.evaluation.build_container import Step, build
from srl_swe_envs.workspaces.docker import engine_problem

from .rowset import BASE_IMAGE, IMAGE, SCRIPT


@pytest.fixture(scope="session")
def row_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the rows above. Without an engine tests skip; in CI they fail."""
    problem = engine_problem()
    if problem is not None:
        if os.environ.get("CI"):
            pytest.fail(f"containers must work in CI: {problem}")
        pytest.skip(problem)
    step = Step(parent=BASE_IMAGE, script=SCRIPT, image=IMAGE, recipe="test", changes=("WORKDIR /testbed",))
    build(step, tmp_path_factory.mktemp("build") / "build.log")
    return IMAGE

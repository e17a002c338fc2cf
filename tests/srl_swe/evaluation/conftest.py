"""The image of the task set in `rowset.py`."""

from __future__ import annotations

import pytest

from srl_swe.evaluation.build_container import Step, build

from .rowset import IMAGE, SCRIPT


@pytest.fixture(scope="session")
def row_image(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the rows above."""
    step = Step(parent=base_image, script=SCRIPT, image=IMAGE, recipe="test", changes=("WORKDIR /testbed",))
    build(step, tmp_path_factory.mktemp("build") / "build.log")
    return IMAGE

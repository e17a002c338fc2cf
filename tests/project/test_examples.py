"""Every configuration in `examples/` is one that its command takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from srl_swe.config import load_config
from srl_swe.sweep.settings import read_sweep
from srl_swe.training.settings import RunSettings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_configuration(example: Path) -> None:
    if example.stem == "sweep":
        assert read_sweep(example)
    else:
        assert load_config(RunSettings, example, ()).stages

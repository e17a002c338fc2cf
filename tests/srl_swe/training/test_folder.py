"""A run's folder is taken up by the configuration that made it, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from srl_swe.training.folder import open_run
from srl_swe_envs.errors import ConfigError

CONFIG = "[sft]\nbatch = 4\nepochs = 1.0\n[srl]\nbatch = 8\n"


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    open_run(tmp_path, CONFIG, fresh=False)
    reordered = "[srl]\nbatch = 8\n[sft]\nepochs = 1.0\nbatch = 4\n"
    open_run(tmp_path, reordered, fresh=False)
    assert (tmp_path / "config.toml").read_text() == reordered


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (CONFIG.replace("batch = 8", "batch = 16"), "batch = 16"),
        (CONFIG.replace("epochs = 1.0\n", ""), "epochs = 1.0"),
        ("[sft]\nbatch = 8\nepochs = 1.0\n[srl]\nbatch = 4\n", "batch = 8"),  # the same lines elsewhere
    ],
)
def test_another_configuration_is_refused_with_a_line_that_differs(tmp_path: Path, changed: str, named: str) -> None:
    open_run(tmp_path, CONFIG, fresh=False)
    with pytest.raises(ConfigError, match=named):
        open_run(tmp_path, changed, fresh=False)
    assert (tmp_path / "config.toml").read_text() == CONFIG

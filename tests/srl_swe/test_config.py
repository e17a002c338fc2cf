"""Configurations are strict, and say where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from srl_swe.config import config_to_toml, load_config
from srl_swe.training.settings import RunSettings
from srl_swe_envs.errors import ConfigError

GOOD = """\
stages = ["sft", "srl"]
seed = 3

[data]
train = ["logs/*.jsonl"]

[srl]
batch = 16
learning_rate = 1e-4
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_values_and_defaults_are_read(tmp_path: Path) -> None:
    settings = load_config(RunSettings, write(tmp_path, GOOD))
    assert settings.stages == ("sft", "srl")
    assert (settings.srl.batch, settings.srl.replies, settings.srl.learning_rate) == (16, 8, 1e-4)


def test_overrides_win_and_may_be_bare_text(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    settings = load_config(RunSettings, path, ["srl.batch=4", "prompt.dialect=fence", 'stages=["sft"]'])
    assert (settings.srl.batch, settings.prompt.dialect, settings.stages) == (4, "fence", ("sft",))


def test_a_resolved_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    settings = load_config(RunSettings, write(tmp_path, GOOD))
    assert load_config(RunSettings, write(tmp_path, config_to_toml(settings))) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("batch = 16", "bach = 16"), "run.toml:8: srl.bach: unknown key; did you mean 'batch'?"),
        (GOOD.replace("batch = 16", 'batch = "many"'), 'run.toml:8: srl.batch: a whole number is expected, not "many"'),
        (GOOD.replace("seed = 3", "seed = true"), "run.toml:2: seed: a whole number is expected, not true"),
        (GOOD.replace("[srl]", "[slr]"), "run.toml:7: slr: unknown key; did you mean 'srl'?"),
        (GOOD.replace('"sft", "srl"', '"sft", "fly"'), "stages: any of"),
        ("stages = [", "run.toml: not TOML"),
        ("seed = 1\n", "run.toml: data.train: name the logs to learn from"),
        (GOOD + '[prompt]\nhistory = "last"\n', "write 'full' or 'last:n'"),
        (GOOD + '[prompt]\ndialect = "morse"\n', "one of 'xml', 'fence', 'tool_calls' is expected, not \"morse\""),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(RunSettings, write(tmp_path, text))
    assert message in str(caught.value)
    assert str(tmp_path / "run.toml") in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: can't be read"):
        load_config(RunSettings, tmp_path / "nowhere.toml")

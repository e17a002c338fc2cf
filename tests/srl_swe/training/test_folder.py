"""A run's folder is taken up by the configuration that made it, and by no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from srl_swe.training.folder import open_run
from srl_swe_envs.errors import ConfigError

CONFIG = "[sft]\nbatch = 4\nepochs = 1.0\n[srl]\nbatch = 8\n"


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    with open_run(tmp_path, CONFIG, fresh=False):
        pass
    reordered = "[srl]\nbatch = 8\n[sft]\nepochs = 1.0\nbatch = 4\n"
    with open_run(tmp_path, reordered, fresh=False):
        pass
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
    with open_run(tmp_path, CONFIG, fresh=False):
        (tmp_path / "data.json").write_text("{}")
    with pytest.raises(ConfigError, match=named), open_run(tmp_path, changed, fresh=False):
        pass
    assert (tmp_path / "config.toml").read_text() == CONFIG


def test_a_run_that_was_refused_before_it_began_leaves_the_folder_to_another_configuration(tmp_path: Path) -> None:
    with open_run(tmp_path, CONFIG, fresh=False):
        pass
    changed = CONFIG.replace("batch = 8", "batch = 16")
    with open_run(tmp_path, changed, fresh=False):
        assert (tmp_path / "config.toml").read_text() == changed


def test_two_processes_do_not_train_in_one_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    out = tmp_path / "run"
    hold = (
        "import sys, pathlib; from srl_swe.training.folder import open_run\n"
        f"with open_run(pathlib.Path({str(out)!r}), {CONFIG!r}, fresh=False):\n"
        "    print('inside', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        with pytest.raises(ConfigError, match="in use by another training run"), open_run(out, CONFIG, fresh=True):
            pass
        process.kill()
    with open_run(out, CONFIG, fresh=False):
        pass


def test_fresh_throws_away_all_but_the_place(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with open_run(out, CONFIG, fresh=False):
        (out / "1-sft").mkdir()
        (out / "1-sft/metrics.jsonl").write_text("{}\n")
        (out / "summary.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("")
    (out / "link").symlink_to(tmp_path / "elsewhere")
    with open_run(out, CONFIG.replace("batch = 8", "batch = 16"), fresh=True):
        assert sorted(path.name for path in out.iterdir()) == ["config.toml", "lock"]
        assert "batch = 16" in (out / "config.toml").read_text()
    assert (tmp_path / "elsewhere/kept").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="no run's folder"), open_run(tmp_path, CONFIG, fresh=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

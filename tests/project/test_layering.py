"""What may import what, and what a light command must not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from srl_swe.cli import COMMANDS

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "trl", "vllm", "swebench", "docker")


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_help_loads_neither_torch_nor_the_world() -> None:
    code = "from srl_swe.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    print()"
    assert not modules_after(code) & {*HEAVY, "srl_swe_envs", "numpy", "gymnasium"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_is_light_and_says_what_it_does(command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "srl_swe", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage: srl-swe" in run.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}
    assert not loaded & {"torch", "transformers", "trl", "vllm", "swebench"}


def test_the_world_loads_no_learner_and_no_engine() -> None:
    assert not modules_after("import srl_swe_envs") & {*HEAVY, "srl_swe"}


def test_the_learner_knows_nothing_of_shells() -> None:
    allowed = ("srl_swe_envs.errors", "srl_swe_envs.rewards")
    for path in (ROOT / "srl_swe/learning").rglob("*.py"):
        for line in path.read_text().splitlines():
            if line.startswith(("from srl_swe_envs", "import srl_swe_envs")):
                assert line.split()[1].startswith(allowed), f"{path}: {line}"


def test_asset_folders_hold_no_python() -> None:
    for folder in ("agent_prompts", "containers", "trajectories"):
        assert not list((ROOT / folder).rglob("*.py"))


def test_an_unknown_command_is_answered_with_exit_code_2() -> None:
    run = subprocess.run([sys.executable, "-m", "srl_swe", "fly"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr

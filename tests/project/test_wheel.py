"""What a wheel holds, and that it works without the checkout."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]  # wheel from sdist, as pip does
    built = subprocess.run(build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert built.returncode == 0, built.stdout
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_both_packages_and_the_assets_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"srl_swe", "srl_swe_envs"}
    for wanted in (
        "srl_swe/py.typed",
        "srl_swe_envs/py.typed",
        "srl_swe/_assets/agent_prompts/xml/system.md",
        "srl_swe/_assets/containers/engine.sh",
        "srl_swe/_assets/trajectories/examples/train/swe_smith.jsonl",
        "srl_swe_envs/demo/tasks.jsonl",
    ):
        assert wanted in names
    assert not [name for name in names if name.endswith(".c")]


@pytest.mark.slow
def test_an_installed_wheel_finds_its_prompts_and_examples(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", system_site_packages=False, with_pip=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "install", "-q", str(wheel)]
    installed = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert installed.returncode == 0, installed.stdout
    code = (
        "from srl_swe.prompts import load_prompts; from srl_swe.assets import ROOT; from srl_swe.logs import read_logs;"
        "load_prompts('xml'); print(sum(1 for _ in read_logs([ROOT / 'trajectories/examples/held_out'])))"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10

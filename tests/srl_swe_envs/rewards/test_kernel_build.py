"""The package is built with and without a C compiler, from a copy of the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAY_KERNEL = "from srl_swe_envs.rewards import *; print(kernel_name(), similarity('abxcd', 'abcd'))"
LEFT_OUT = shutil.ignore_patterns(".*", "tests", "docs", "runs", "build", "dist", "__pycache__", "*.so", "*.egg-info")

pytestmark = pytest.mark.slow
needs_compiler = pytest.mark.skipif(
    not shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]), reason="there is no C compiler"
)


@pytest.fixture
def checkout(tmp_path):
    for package in ("hatchling", "setuptools"):
        pytest.importorskip(package, reason="the build needs it, and tests fetch nothing")
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    shutil.copy(ROOT / ".gitignore", copy)
    return copy


def pip(*arguments, compiler=None):
    environment = os.environ | ({"CC": compiler} if compiler else {})
    command = [sys.executable, "-m", "pip", *arguments, "--no-build-isolation", "--no-deps", "--no-index", "-v"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def kernel_of(folder):
    """What a fresh interpreter says that finds the package in a folder only."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-P", "-c", SAY_KERNEL]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=folder).stdout


def build_wheel(checkout, folder, compiler=None):
    said = pip("wheel", str(checkout), "--wheel-dir", str(folder), compiler=compiler)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return wheel, said


def test_without_a_compiler_the_wheel_is_pure_and_says_so(checkout, tmp_path):
    wheel, said = build_wheel(checkout, tmp_path / "wheel", compiler="/nonexistent")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "the reward kernel is the pure-Python one" in said
    assert kernel_of(tmp_path / "wheel" / "unpacked") == "python 0.8888888888888888\n"


@needs_compiler
def test_with_a_compiler_the_wheel_holds_the_kernel_for_the_stable_abi(checkout, tmp_path):
    wheel, _ = build_wheel(checkout, tmp_path / "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert "-cp311-abi3-" in wheel.name or sysconfig.get_config_var("Py_GIL_DISABLED")
    assert "srl_swe_envs/rewards/_gestalt.pyi" in names
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert kernel_of(tmp_path / "wheel" / "unpacked") == "c 0.8888888888888888\n"


@needs_compiler
def test_an_editable_install_has_the_kernel_beside_its_sources(checkout, tmp_path):
    pytest.importorskip("editables", reason="hatchling needs it for editable installs, and tests fetch nothing")
    pip("install", "--target", str(tmp_path / "site"), "--editable", str(checkout))
    assert list((checkout / "envs/srl_swe_envs/rewards").glob("_gestalt.*so"))
    assert kernel_of(checkout / "envs") == "c 0.8888888888888888\n"
    # without a compiler, what an earlier install left is not used
    pip("install", "--target", str(tmp_path / "again"), "--editable", str(checkout), compiler="/nonexistent")
    assert kernel_of(checkout / "envs") == "python 0.8888888888888888\n"

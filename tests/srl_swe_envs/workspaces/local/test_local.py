from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.workspaces.local import cgroups
from srl_swe_envs.workspaces.local.isolation import way_in
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits


def test_it_is_a_workspace(workspace: LocalWorkspace) -> None:
    assert isinstance(workspace, Workspace)


def test_the_source_is_never_changed(repository: Path, workspace: LocalWorkspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    workspace.run("echo x >README; rm -rf pkg .git; touch new; chmod 777 .", timeout_s=10)
    workspace.write_bytes("README", b"other")
    workspace.snapshot()
    workspace.reset()
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before
    assert workspace.run("cat README", timeout_s=10).output == "second\n"


def test_a_folder_without_git_gets_an_initial_commit_that_a_reset_keeps(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with LocalWorkspace(tmp_path, workdir="/work tree/a,b") as workspace:
        workspace.write_bytes("a.py", b"x = 2\n")
        assert "-x = 1\n+x = 2\n" in workspace.diff()
        workspace.reset()
        assert workspace.diff() == ""
        log = workspace.run("git log --format=%s; pwd; cat a.py", timeout_s=10).output
    assert log == "Initial state\n/work tree/a,b\nx = 1\n"
    assert os.listdir(tmp_path) == ["a.py"]


def test_an_odd_source_path_works(tmp_path: Path) -> None:
    odd = tmp_path / "a:b,c\\d e"
    odd.mkdir()
    (odd / "file").write_text("found\n")
    with LocalWorkspace(odd) as workspace:
        assert workspace.run("cat file", timeout_s=10).output == "found\n"


def test_what_is_not_shown_of_the_host_does_not_exist_inside(workspace: LocalWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for path in (
        tmp_path / "secret",
        Path(__file__),
        Path.home() / ".bashrc",
        Path("/etc/shadow"),
        Path("/sys/kernel"),
    ):
        with pytest.raises(FileNotFoundError):
            workspace.read_bytes(str(path))
    assert b"root:x:0:0:" in workspace.read_bytes("/etc/passwd")


def test_the_running_python_and_its_packages_are_there(workspace: LocalWorkspace) -> None:
    result = workspace.run("python -c 'import sys, pytest; print(sys.prefix)'", timeout_s=60)
    assert result.output == f"{sys.prefix}\n"


def unpack_tiny_image(folder: Path) -> None:
    """An image with a POSIX shell and four programs: no bash, no Python."""
    programs = {"sh": "dash", "ls": "ls", "cat": "cat", "seq": "seq", "sleep": "sleep"}
    for name, program in programs.items():
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"no {program} to make an image of")
        libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout.split()
        for file in filter(os.path.isabs, libraries):
            (folder / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / file.lstrip("/"))
        (folder / "bin").mkdir(exist_ok=True)
        shutil.copy(path, folder / "bin" / name)


def test_an_unpacked_image_needs_neither_bash_nor_python(tmp_path: Path, repository: Path) -> None:
    unpack_tiny_image(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with LocalWorkspace(repository, rootfs=tmp_path) as workspace:
        workspace.run("cd pkg; export A='x \"y\"'; B=2", timeout_s=10)
        result = workspace.run('pwd; echo "$A$B"; cat core.py; ls /usr/bin', timeout_s=10)
        assert result.output.startswith('/testbed/pkg\nx "y"\ndef area')
        assert result.exit_code == 2
        big = workspace.run(f"x={'y' * 300_000}; echo ${{#x}}; exit 4", timeout_s=10)
        assert (big.output, big.exit_code) == ("300000\n", 4)
        assert workspace.run("sleep 100", timeout_s=0.5).timed_out
        workspace.write_bytes("/bin/cat", b"gone")
        workspace.reset()
        assert workspace.run("cat README", timeout_s=10).output == "second\n"
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_folders_of_the_task_can_be_renamed(workspace: LocalWorkspace) -> None:
    if way_in() == "user":
        pytest.skip("the kernel does not allow redirects to ordinary users")
    moved = workspace.run(
        "git mv pkg lib && python3 -c \"import os; os.rename('lib', 'moved')\"; cat moved/core.py", timeout_s=20
    )
    assert "def area" in moved.output
    name = workspace.snapshot()
    workspace.run("mv moved again; mkdir moved", timeout_s=10)
    workspace.restore(name)
    assert workspace.run("ls moved; ls pkg", timeout_s=10).output.startswith("core.py\nls: cannot access 'pkg'")


def test_wrong_paths_are_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a directory"):
        LocalWorkspace(tmp_path / "absent")
    with pytest.raises(ConfigError, match="absolute"):
        LocalWorkspace(tmp_path, workdir="testbed")
    with pytest.raises(ConfigError, match="unpack"):
        LocalWorkspace(tmp_path, rootfs=tmp_path / "absent")
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    with pytest.raises(ConfigError, match="worktree"):
        LocalWorkspace(tmp_path)


def test_the_statement_tells_what_is_isolated_and_what_is_not(workspace: LocalWorkspace) -> None:
    statement = str(workspace.isolation())
    assert "isolated: network: none" in statement
    assert "NOT isolated: the kernel" in statement
    assert "4096 MB for all processes together" in statement or "memory: no control group" in statement


def test_control_groups_keep_memory_and_processes_where_they_can_be_made(repository: Path) -> None:
    limits = WorkspaceLimits(memory_bytes=256 << 20, pids=40)
    if cgroups.plan(limits).keeps < {"memory", "pids"}:
        pytest.skip("no control group may be made here")
    with LocalWorkspace(repository, limits=limits) as workspace:
        hog = workspace.run("python3 -c \"x = b'x' * (512 << 20)\"; echo rc=$?", timeout_s=60)
        assert "rc=137" in hog.output
        crowd = workspace.run("for i in $(seq 60); do sleep 100 & done; true", timeout_s=15)
    assert "Resource temporarily unavailable" in crowd.output

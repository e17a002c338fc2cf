"""The future of a task's repository: found in every known way without the guard, in none with it."""

from __future__ import annotations

import functools
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.guards.history import check_history, remove_future, repositories
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace
from srl_swe_envs.workspaces.docker.pristine import PristineImages
from srl_swe_envs.workspaces.protocol import CommandResult
from srl_swe_envs.workspaces.runner import CommandRunner

SCRIPT = Path(__file__).with_name("leaky_repository.sh")

EVERYTHING = (
    "git cat-file --batch-all-objects --batch-check | grep -v tree | cut -d' ' -f1 | git cat-file --batch | cat -v"
)
WAYS = {
    "branch": "git log --all -p",
    "tag": "git show v2.0",
    "remote": "git log -p --remotes",
    "packed_ref": "grep -v '^[#^]' .git/packed-refs | cut -d' ' -f1 | xargs git show",
    "reflog": "git log -g -p",
    "orig_head": "git show ORIG_HEAD",
    "fetch_head": "git show FETCH_HEAD",
    "stash": "git stash show -p",
    "note": "git log --notes -1",
    "worktree": "git show worktrees/linked_worktree/HEAD",
    "staged": "git diff --cached",
    "kept_pack": EVERYTHING,
    "dangling": EVERYTHING,
    "alternate": EVERYTHING,
}


class Host:
    """Runs commands in a folder of this machine: as much of a workspace as the guard needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, command: str, *, timeout_s: float) -> CommandResult:
        ran = subprocess.run(
            ["sh", "-c", command], cwd=self._folder, capture_output=True, timeout=timeout_s, check=False
        )
        output = (ran.stdout + ran.stderr).decode(errors="replace")
        return CommandResult(output=output, exit_code=ran.returncode, timed_out=False, elided_chars=0, duration_s=0.0)


@pytest.fixture(scope="module")
def leaky_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaky")
    subprocess.run(["sh", SCRIPT, folder / "repo", folder / "other"], check=True, capture_output=True)
    return folder / "repo"


@pytest.fixture
def leaky(leaky_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(leaky_once, tmp_path / "repo", symlinks=True))


@pytest.mark.parametrize("way", WAYS)
def test_without_the_guard_each_way_leads_to_the_fix(leaky_once: Path, way: str) -> None:
    assert f"FIX_{way}" in Host(leaky_once).run(WAYS[way], timeout_s=60).output


def test_with_the_guard_no_way_leads_to_a_fix_and_the_past_stays(leaky: Path) -> None:
    host = Host(leaky)
    head = host.run("git rev-parse HEAD", timeout_s=60).output
    remove_future(host, workdir=str(leaky))
    for way, command in WAYS.items():
        assert "FIX_" not in host.run(command, timeout_s=60).output, way
    assert "FIX_" not in host.run("grep -ra FIX_ .git", timeout_s=60).output
    assert check_history(host, str(leaky)) == ()
    assert host.run("git rev-parse HEAD", timeout_s=60).output == head
    assert host.run("git log --format=%s", timeout_s=60).output.split() == ["bug", "start"]
    assert host.run("git tag", timeout_s=60).output.split() == ["v1.0"]
    assert host.run("git fsck --strict 2>&1 && git status --short", timeout_s=60).output == ""


def test_the_check_names_every_kind_of_leak(leaky: Path) -> None:
    codes = {finding.code for finding in check_history(Host(leaky), str(leaky))}
    assert codes >= {
        "later_commit", "unreachable_objects", "reflog", "pseudo_ref", "remote", "hidden_ref", "alternate",
        "worktree", "staged",
    }  # fmt: skip


def test_a_clean_clone_passes_untouched(leaky: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    for command in (
        ["git", "init", "-q", str(clean)],
        ["git", "-C", str(clean), "fetch", "-q", str(leaky), "main"],
        ["git", "-C", str(clean), "checkout", "-q", "FETCH_HEAD"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    (clean / ".git/FETCH_HEAD").unlink()
    (clean / ".git/logs/HEAD").unlink()
    assert check_history(Host(clean), str(clean)) == ()


def test_uncommitted_work_survives_the_scrub(leaky: Path) -> None:
    (leaky / "code.py").write_text("changed\n")
    (leaky / "new.py").write_text("new\n")
    remove_future(Host(leaky), workdir=str(leaky))
    status = Host(leaky).run("git status --short", timeout_s=60).output
    assert status.split("\n")[:2] == [" M code.py", "?? new.py"]


def test_head_beyond_the_base_commit_is_refused(leaky: Path) -> None:
    host = Host(leaky)
    base = host.run("git rev-parse v1.0^{commit}", timeout_s=60).output.strip()
    remove_future(host, workdir=str(leaky), base_commit=base, max_commits_ahead=1)
    with pytest.raises(ConfigError, match="ahead_of_base"):
        remove_future(host, workdir=str(leaky), base_commit=base, max_commits_ahead=0)
    with pytest.raises(ConfigError, match="wrong_base"):
        remove_future(host, workdir=str(leaky), base_commit="0" * 40)


def test_nested_repositories_are_scrubbed_too(leaky: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    subprocess.run(["git", "init", "-q", outer], check=True)
    leaky.rename(outer / "vendored")
    host = Host(outer)
    commit = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one"
    assert host.run(commit, timeout_s=60).exit_code == 0
    assert repositories(host, workdir=str(outer)) == (str(outer), str(outer / "vendored"))
    remove_future(host, workdir=str(outer))
    assert "FIX_" not in host.run(f"cd vendored; {EVERYTHING}", timeout_s=60).output


def test_a_folder_without_a_repository_is_clean(tmp_path: Path) -> None:
    remove_future(Host(tmp_path), workdir=str(tmp_path))


def make_leaky(workspace: CommandRunner) -> None:
    ran = workspace.run(f"sh -c {shlex.quote(SCRIPT.read_text())} make /testbed /other", timeout_s=60)
    assert ran.exit_code == 0, ran.output


@pytest.fixture(scope="module")
def leaky_image(base_image: str) -> Iterator[str]:
    images = PristineImages()
    yield images.image_for(ContainerSpec(image=base_image, prepare=make_leaky))
    images.close()


@pytest.mark.docker
def test_in_a_container_the_agent_finds_the_fix_without_the_guard_and_not_with_it(leaky_image: str) -> None:
    guard = functools.partial(remove_future, workdir="/testbed")
    with (
        DockerWorkspace(ContainerSpec(image=leaky_image)) as open_world,
        DockerWorkspace(ContainerSpec(image=leaky_image, prepare=guard)) as guarded,
    ):
        for way, command in WAYS.items():
            assert f"FIX_{way}" in open_world.run(command, timeout_s=60).output, way
            assert "FIX_" not in guarded.run(command, timeout_s=60).output, way
        guarded.reset()
        assert "FIX_" not in guarded.run(EVERYTHING, timeout_s=60).output
        assert guarded.run("git log --format=%s", timeout_s=60).output.split() == ["bug", "start"]

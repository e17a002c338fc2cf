"""Task images made from a clone without a network, and images that are pulled."""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from srl_swe.evaluation.images import BuildSettings, build_images
from srl_swe.evaluation.pulls import IMAGE_BYTES, Images, free_bytes
from srl_swe.evaluation.rows import Row, parse_row
from srl_swe.evaluation.specs import Specs, read_specs
from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace
from srl_swe_envs.workspaces.docker.engine import thread_client

from .rowset import IMAGE, record

pytestmark = pytest.mark.docker

TOKEN = uuid.uuid4().hex[:8]
"""Names of this process's own: another one may run the same tests on the same engine."""

SPEC = """\
repo = "own/adder"
log_parser = "parse_log_pytest"

[default]
python = "python3"
install = "python --version > installed.log"
test_command = "bash"

[[version]]
versions = ["1"]
environment = ["OWN_SETTING=a b"]
"""


def git(folder: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **who}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A clone with a past, a base and a future (on the branch, on another one, and under a tag)."""
    folder = tmp_path_factory.mktemp("clone")
    git(folder, "init", "-q", "-b", "main")
    commits = {}
    for name in ("past", "base", "future"):
        (folder / "add.sh").write_text(f"echo $(($1 - $2)) # {name}\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", name)
        git(folder, "tag", f"v-{name}")
        commits[name] = git(folder, "rev-parse", "HEAD")
    git(folder, "branch", "other")
    return folder, commits


def specs(folder: Path) -> Specs:
    place = folder / "specs"
    place.mkdir(exist_ok=True)
    (place / "own.toml").write_text(SPEC)
    return read_specs([place])


def own_row(commit: str, task: str = "own__adder-9") -> Row:
    return parse_row(record(task, base_commit=commit), "test")


def test_an_image_holds_the_base_commit_its_past_and_nothing_later(
    row_image: str, base_image: str, tmp_path: Path, clone: tuple[Path, dict[str, str]]
):
    folder, commits = clone
    settings = BuildSettings(clones={"own/adder": folder}, base_image=base_image, logs=tmp_path / "logs")
    missing = own_row("0" * 40, "own__adder-8")
    said: list[str] = []
    failed, built = build_images([missing, own_row(commits["base"])], specs(tmp_path), settings, said=said.append)
    assert (failed.status, built.status) == ("failed", "built")
    assert f"has no commit {'0' * 40}" in failed.problem
    workspace = DockerWorkspace(ContainerSpec(image=built.row.task.image))
    try:
        look = "git log --all --format=%s; git tag; cat add.sh installed.log; git status --short; echo $OWN_SETTING"
        shown = workspace.run(f"cd /testbed && {look}", timeout_s=60).output.splitlines()
        future = workspace.run(f"cd /testbed && git cat-file -e {commits['future']}", timeout_s=60)
        inside = workspace.run(". /opt/miniconda3/bin/activate; conda activate testbed; which python", timeout_s=60)
    finally:
        workspace.close()
    assert shown[:5] == ["SWE-bench", "base", "past", "v-base", "v-past"]
    assert shown[5] == "echo $(($1 - $2)) # base"
    assert shown[6].startswith("Python 3")
    assert shown[7:] == ["a b"]
    assert future.exit_code != 0
    assert inside.output.strip() == "/opt/miniconda3/envs/testbed/bin/python"
    (again,) = build_images([own_row(commits["base"])], specs(tmp_path), settings, said=said.append)
    assert again.status == "present"


def test_a_version_without_an_interpreter_says_how_to_add_one(
    row_image: str, base_image: str, tmp_path: Path, clone: tuple[Path, dict[str, str]]
):
    row = parse_row(record("psf__requests-1", repo="psf/requests", version="2.3"), "test")
    settings = BuildSettings(clones={"psf/requests": clone[0]}, base_image=base_image, logs=tmp_path)
    (found,) = build_images([row], read_specs(), settings, said=lambda text: None)
    assert "the specification names no python" in found.problem
    assert "--specs FOLDER" in found.problem


def tag(image: str) -> None:
    repository, _, name = image.rpartition(":")
    thread_client().api.tag(IMAGE, repository, name)


def present(image: str) -> bool:
    return bool(thread_client().api.images(name=image))


def test_an_image_is_pulled_with_patience_and_removed_with_its_task_when_nothing_is_kept(row_image: str):
    said: list[str] = []
    answers = iter([WorkspaceError("toomanyrequests: 429"), WorkspaceError("connection reset"), None])

    def pull(image: str) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer
        tag(image)

    images = Images(cache="none", first_pause_s=0.001, said=said.append, pull=pull)
    images.preflight([f"srl-swe/test-pulled:{TOKEN}", IMAGE])
    with images.held(f"srl-swe/test-pulled:{TOKEN}"), images.held(f"srl-swe/test-pulled:{TOKEN}"):
        assert present(f"srl-swe/test-pulled:{TOKEN}")
    assert not present(f"srl-swe/test-pulled:{TOKEN}")
    assert "1 images are to be pulled" in said[0]
    assert sum("again in" in line for line in said) == 2


def test_an_image_that_was_there_before_is_never_removed(row_image: str):
    images = Images(cache="none", said=lambda text: None)
    with images.held(IMAGE):
        pass
    assert present(IMAGE)


def test_when_space_is_short_the_longest_unused_pulled_image_goes(row_image: str):
    images = Images(cache="space", low_bytes=0, said=lambda text: None, pull=tag)
    for number in (1, 2):
        with images.held(f"srl-swe/test-space:{TOKEN}-{number}"):
            pass
    images.low_bytes = 1 << 60
    with images.held(f"srl-swe/test-space:{TOKEN}-3"):
        assert [present(f"srl-swe/test-space:{TOKEN}-{number}") for number in (1, 2, 3)] == [False, False, True]
    images._remove(f"srl-swe/test-space:{TOKEN}-3")


def test_a_disk_too_small_for_all_images_is_said_before_anything_is_pulled(row_image: str):
    images = Images(cache="keep", said=lambda text: None)
    count = (free_bytes() or 0) // IMAGE_BYTES + 2
    with pytest.raises(ConfigError, match="use --cache space"):
        images.preflight([f"srl-swe/none-{number}:1" for number in range(count)])


def test_an_image_that_no_registry_has_is_infrastructure_and_not_asked_for_again(row_image: str):
    asked: list[str] = []

    def pull(image: str) -> None:
        asked.append(image)
        raise WorkspaceError("manifest unknown")

    images = Images(said=lambda text: None, pull=pull)
    with pytest.raises(WorkspaceError, match="can't be pulled"), images.held("srl-swe/none:1"):
        pass
    assert len(asked) == 1

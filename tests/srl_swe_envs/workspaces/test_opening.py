"""Tasks open in containers with every guard on, and each guard can be switched off by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.guards.preparation import Guards
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace, docker_opener, spec_of
from srl_swe_envs.workspaces.docker.pristine import PristineImages
from srl_swe_envs.workspaces.runner import CommandRunner

LATER = "git log --all --format=%s; git reflog; ls -A /root/.cache/pip 2>/dev/null"


def plant(workspace: CommandRunner) -> None:
    commit = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m"
    planted = workspace.run(
        f"mkdir -p /testbed /root/.cache/pip && cd /testbed && git init -q && {commit} start && {commit} later"
        " && git reset -q --hard HEAD~1 && echo x >/root/.cache/pip/x",
        timeout_s=60,
    )
    assert planted.exit_code == 0, planted.output


@pytest.fixture(scope="module")
def task(base_image: str) -> Iterator[Task]:
    images = PristineImages()
    yield Task(id="planted", problem="", image=images.image_for(ContainerSpec(image=base_image, prepare=plant)))
    images.close()


@pytest.mark.docker
def test_every_guard_is_on_unless_switched_off(task: Task) -> None:
    look = f"{LATER}; grep CapEff /proc/self/status; ls /sys/class/net"
    with docker_opener()(task) as guarded:
        assert guarded.run(look).output == "start\nCapEff:\t0000000000000000\nlo\n"
    off = Guards(network=False, capabilities=False, history=False, caches=False)
    with docker_opener(guards=off)(task) as unguarded:
        seen = unguarded.run(look).output
        assert "commit: later" in seen
        assert "\nx\n" in seen
        assert "eth0" in seen
        assert "0000000000000000" not in seen
        assert unguarded.run("touch /tmp/f && chown 1000:1000 /tmp/f && stat -c %u /tmp/f").output == "1000\n"


@pytest.mark.docker
def test_a_base_commit_that_the_image_does_not_have_is_refused(task: Task) -> None:
    wrong = Task(id="wrong", problem="", image=task.image, base_commit="1" * 40)
    with pytest.raises(ConfigError, match="wrong_base"):
        docker_opener()(wrong)


def test_tasks_of_one_image_and_commit_share_a_spec() -> None:
    one, two = (Task(id=name, problem=name, image="i", base_commit="c") for name in ("one", "two"))
    assert spec_of(one) == spec_of(two)
    assert hash(spec_of(one)) == hash(spec_of(two))
    assert spec_of(one) != spec_of(Task(id="one", problem="", image="i", base_commit="d"))


def test_a_task_without_an_image_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match="names no image"):
        docker_opener()(Task(id="x", problem=""))


def test_without_an_engine_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import threading

    from srl_swe_envs.errors import WorkspaceError
    from srl_swe_envs.workspaces.docker import engine

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(engine, "_clients", threading.local())
    with pytest.raises(WorkspaceError, match=r"containers/engine\.sh"):
        DockerWorkspace(ContainerSpec(image="any"))
    assert "no container engine answers" in str(engine.engine_problem())

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.guest import client
from srl_swe_envs.workspaces.local import cgroups
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import WorkspaceLimits

PACKAGES = Path(__file__).resolve().parents[4] / "envs"


def wait_until(condition: Callable[[], bool], limit_s: float = 20.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def descendants_and_traces(mark: str) -> list[str]:
    """What a workspace would leave on the host: processes with `mark` in their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            arguments = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in arguments:
            found.append(f"{pid} {arguments!r}")
    return found


def own_groups(pid: int) -> list[str]:
    parents = {Path(folder).parent for folder, _ in cgroups.plan(WorkspaceLimits()).groups}
    return [str(path) for parent in parents for path in parent.glob(f"srl-swe-{pid}-*")]


def test_closing_leaves_no_process_no_descriptor_no_mount_and_no_group(repository: Path) -> None:
    mark = "sleep 98761"
    LocalWorkspace(repository).close()  # the process that makes launchers stays for a while
    descriptors = os.listdir("/proc/self/fd")
    for _ in range(3):
        workspace = LocalWorkspace(repository)
        workspace.run(f"setsid {mark} & {mark} & sleep 0.1", timeout_s=10)
        workspace.restore(workspace.snapshot())
        workspace.run(f"{mark} &", timeout_s=10)
        workspace.close()
        workspace.close()
    assert descendants_and_traces(mark.replace(" ", "\0")) == []
    assert own_groups(os.getpid()) == []
    assert str(repository) not in Path("/proc/self/mountinfo").read_text()
    assert os.listdir("/proc/self/fd") == descriptors
    with pytest.raises(WorkspaceError, match="closed"):
        workspace.run("true", timeout_s=1)
    with pytest.raises(WorkspaceError, match="closed"):
        workspace.reset()


HOST_PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
workspace = LocalWorkspace(sys.argv[2])
workspace.run("setsid sleep 98762 & sleep 98762 &", timeout_s=10)
if os.fork() == 0:  # a worker that has inherited every descriptor
    time.sleep(30)
    os._exit(0)
print(workspace._sandbox.launcher_pid, flush=True)
workspace.run("sleep 98762", timeout_s=1000)
"""


def test_killing_the_host_process_leaves_nothing(repository: Path) -> None:
    program = [sys.executable, "-c", HOST_PROGRAM, str(PACKAGES), str(repository)]
    host = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    launcher = int(host.stdout.readline())
    assert wait_until(lambda: len(descendants_and_traces("sleep\00098762")) == 3)
    assert own_groups(host.pid) or not cgroups.plan(WorkspaceLimits()).groups
    host.kill()
    host.wait()
    host.stdout.close()
    assert wait_until(lambda: not descendants_and_traces("sleep\00098762"))
    assert wait_until(lambda: not Path("/proc", str(launcher)).exists())
    assert wait_until(lambda: not own_groups(host.pid))
    assert str(repository) not in Path("/proc/self/mountinfo").read_text()


def test_killing_the_launcher_kills_the_sandbox_and_is_reported(repository: Path) -> None:
    workspace = LocalWorkspace(repository)
    workspace.run("sleep 98763 &", timeout_s=10)
    launcher = workspace._sandbox.launcher_pid
    os.kill(launcher, signal.SIGKILL)
    assert wait_until(lambda: not descendants_and_traces("sleep\00098763"))
    with pytest.raises(WorkspaceError):
        workspace.run("true", timeout_s=5)
    with pytest.raises(WorkspaceError, match="launcher"):
        workspace.reset()
    workspace.close()
    assert wait_until(lambda: cgroups.remove_stale() == 0 and not own_groups(launcher))


def test_a_sandbox_that_died_is_an_error_and_a_reset_brings_it_back(workspace: LocalWorkspace) -> None:
    first = next(
        int(pid) for pid in filter(str.isdigit, os.listdir("/proc")) if _parent(pid) == workspace._sandbox.launcher_pid
    )
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkspaceError, match="gone"):
        workspace.run("echo x", timeout_s=5)
    with pytest.raises(WorkspaceError, match="gone"):
        workspace.read_bytes("README")
    workspace.reset()
    assert workspace.run("echo back", timeout_s=10).output == "back\n"


def test_a_sandbox_that_hangs_is_an_error_within_the_time_limit(
    workspace: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "GRACE_S", 1.0)
    first = next(
        pid for pid in filter(str.isdigit, os.listdir("/proc")) if _parent(pid) == workspace._sandbox.launcher_pid
    )
    os.kill(int(first), signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(WorkspaceError, match="does not answer"):
        workspace.run("echo x", timeout_s=0.1)
    assert time.monotonic() - started < 30
    workspace.reset()
    assert workspace.run("echo back", timeout_s=10).output == "back\n"


def _parent(pid: str) -> int:
    try:
        return int(Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def test_without_isolation_it_says_so_and_works_in_a_copy(repository: Path) -> None:
    with LocalWorkspace(repository, isolation="none") as workspace:
        assert "UNSAFE" in str(workspace.isolation())
        workspace.run("echo changed >README; sleep 98764 & cd pkg", timeout_s=20)
        assert workspace.run("basename $PWD; cat ../README", timeout_s=20).output == "pkg\nchanged\n"
        name = workspace.snapshot()
        assert "+changed" in workspace.diff()
        assert workspace.run("sleep 98764; sleep 98764", timeout_s=0.5).timed_out
        workspace.reset()
        assert workspace.run("cat README", timeout_s=20).output == "second\n"
        workspace.restore(name)
        assert workspace.run("cat ../README", timeout_s=20).output == "changed\n"
        home = Path(workspace.workdir).parent
    assert not home.exists()
    assert descendants_and_traces("sleep\00098764") == []
    assert (repository / "README").read_text() == "second\n"

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.workspaces.local import cgroups
from srl_swe_envs.workspaces.local.isolation import way_in
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits

PACKAGES = Path(__file__).resolve().parents[4] / "envs"


@pytest.fixture(scope="module", autouse=True)
def needs_namespaces() -> None:
    try:
        way_in()
    except WorkspaceError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def workspace(repository: Path) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(repository) as workspace:
        yield workspace


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


def test_a_sandbox_that_hangs_is_an_error_within_the_time_limit(workspace: LocalWorkspace) -> None:
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


ORDINARY_PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
with LocalWorkspace(sys.argv[3], expose=()) as workspace:
    print(workspace.isolation())
    workspace.run("echo changed >README; mkdir d; touch /tmp/x /root/x; export A=1; sleep 1000 &", timeout_s=20)
    name = workspace.snapshot()
    workspace.run("rm -rf pkg d; mkdir pkg; rm /tmp/x", timeout_s=20)
    workspace.restore(name)
    print(workspace.run("id -u; cat README; ls pkg /tmp; echo $A; grep CapEff /proc/self/status", timeout_s=20).output)
    print(workspace.run("for i in $(seq 400); do sleep 100 & done", timeout_s=3).timed_out)
    print(workspace.run("touch /usr/bin/x || echo refused; echo 0 >/proc/sys/kernel/printk; echo end", timeout_s=20).output)
    print(workspace.diff())
    workspace.reset()
    print(workspace.run("cat README", timeout_s=20).output)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every test here runs as an ordinary user already")
def test_an_ordinary_user_gets_a_sandbox_where_the_kernel_allows_it(repository: Path, tmp_path: Path) -> None:
    if Path("/proc/sys/user/max_user_namespaces").read_text().strip() == "0":
        pytest.skip("user namespaces are switched off")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    if python is None or not _readable_by_anyone(Path(packages)) or not _readable_by_anyone(PACKAGES):
        pytest.skip("no Python that an ordinary user may run")
    nobody = pwd.getpwnam("nobody")
    question = [python, "-c", "import sys; print(sys.version_info[:2] >= (3, 11))"]
    probe = subprocess.run(question, capture_output=True, text=True, check=True)
    if probe.stdout.strip() != "True":
        pytest.skip("the system's Python is too old")
    folder = Path("/var/tmp") / f"ordinary-{os.getpid()}"
    shutil.copytree(repository, folder, symlinks=True)
    try:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        done = subprocess.run(
            [python, "-c", ORDINARY_PROGRAM, str(PACKAGES), packages, str(folder)],
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.defpath},
            cwd="/",
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    assert "a limit per user" in done.stdout
    assert "0\nchanged\n/tmp:\nx\n\npkg:\ncore.py\n1\nCapEff:\t0000000000000000\n" in done.stdout
    assert "\nTrue\n" in done.stdout
    assert "refused" in done.stdout
    assert "-second\n+changed\n" in done.stdout
    assert done.stdout.endswith("second\n\n")


def _readable_by_anyone(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))


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

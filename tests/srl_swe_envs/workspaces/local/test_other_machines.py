from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = Path(__file__).resolve().parents[4] / "envs"


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
    print(workspace.run("touch /usr/bin/x || echo refused", timeout_s=20).output)
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


REFUSED_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
if sys.argv[3]:
    open(f"/proc/sys/user/max_{sys.argv[3]}_namespaces", "w").write("0")
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.errors import WorkspaceError
try:
    with LocalWorkspace(sys.argv[2]) as workspace:
        print(workspace.run("cat README", timeout_s=20).output)
except WorkspaceError as problem:
    print(problem)
"""


@pytest.mark.parametrize(
    ("forbidden", "expected"), [("user", "switched off"), ("mnt", "What helps: run as root"), ("", "second\n")]
)
def test_a_machine_without_namespaces_is_refused_with_what_would_help(
    repository: Path, forbidden: str, expected: str
) -> None:
    rootless = ["unshare", "--user", "--map-root-user", sys.executable, "-c", REFUSED_PROGRAM]
    if subprocess.run([*rootless[:3], "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace can be made to try it in")
    done = subprocess.run(
        [*rootless, str(PACKAGES), str(repository), forbidden], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout

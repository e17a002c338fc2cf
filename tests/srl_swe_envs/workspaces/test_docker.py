"""Containers as workspaces: what is closed off, what a reset undoes, what a snapshot keeps, how failures surface."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
import time
from collections.abc import Iterator

import pytest

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace, WarmPool
from srl_swe_envs.workspaces.docker.container import GuestContainer
from srl_swe_envs.workspaces.docker.engine import thread_client
from srl_swe_envs.workspaces.docker.pristine import PristineImages
from srl_swe_envs.workspaces.docker.workspace import OneByOne
from srl_swe_envs.workspaces.leases import Owner
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits
from srl_swe_envs.workspaces.runner import CommandRunner

pytestmark = pytest.mark.docker

LIMITS = WorkspaceLimits(memory_bytes=256 << 20, pids=64, disk_bytes=64 << 20, timeout_s=20)


def make_repository(workspace: CommandRunner) -> None:
    made = workspace.run(
        "mkdir -p /testbed && cd /testbed && git init -q && printf 'one\\ntwo\\n' >kept.txt && echo x >gone.txt"
        " && echo '*.log' >.gitignore && git add -A && git -c user.name=a -c user.email=a@b commit -qm start",
        timeout_s=60,
    )
    assert made.exit_code == 0, made.output


@pytest.fixture(scope="module")
def spec(base_image: str) -> Iterator[ContainerSpec]:
    images = PristineImages()
    image = images.image_for(ContainerSpec(image=base_image, prepare=make_repository))
    yield ContainerSpec(image=image, limits=LIMITS, tmp_bytes=32 << 20)
    images.close()


@pytest.fixture(scope="module")
def shared(spec: ContainerSpec) -> Iterator[DockerWorkspace]:
    with DockerWorkspace(spec) as workspace:
        yield workspace


@pytest.fixture
def workspace(shared: DockerWorkspace) -> DockerWorkspace:
    shared.reset()
    return shared


def containers_of_this_process() -> list[str]:
    label = {"label": f"srl-swe.owner={Owner.current()}"}
    return [container["Id"] for container in thread_client().api.containers(all=True, filters=label)]


def images_of_this_process() -> list[str]:
    label = {"label": f"srl-swe.owner={Owner.current()}"}
    return [image["Id"] for image in thread_client().api.images(all=True, filters=label)]


def test_it_is_a_workspace(workspace: DockerWorkspace) -> None:
    assert isinstance(workspace, Workspace)
    ran = workspace.run("pwd; echo err >&2; echo out; exit 3")
    assert (ran.output, ran.exit_code, ran.timed_out) == ("/testbed\nerr\nout\n", 3, False)


def test_no_capability_no_new_privileges_and_a_seccomp_filter(workspace: DockerWorkspace) -> None:
    lines = workspace.run("grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status").output.splitlines()
    status = dict(line.split(":\t") for line in lines)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_no_network_and_no_engine_socket(workspace: DockerWorkspace) -> None:
    assert workspace.run("ls /sys/class/net").output == "lo\n"
    assert workspace.run("find / -xdev -name 'docker*.sock'").output == ""


def test_the_agent_is_out_of_the_commands_reach(workspace: DockerWorkspace) -> None:
    attempts = (
        "kill -9 1",
        "cat /proc/1/environ",
        "readlink /proc/1/fd/3",
        "echo x >/proc/1/mem",
        "touch /.srl-swe/python/lib/x",
        "rm -rf /.srl-swe",
        "touch /.srl-swe/link/x",
        "mount -o remount,rw /.srl-swe/python",
    )
    for attempt in attempts:
        workspace.run(attempt)
        assert workspace.run("echo alive").output == "alive\n", attempt
    for attempt in attempts[1:]:
        assert workspace.run(attempt).exit_code != 0, attempt


def test_memory_processes_and_files_are_limited_and_the_workspace_lives_on(workspace: DockerWorkspace) -> None:
    eaten = workspace.run("python3 -c \"x = b'x' * (1 << 30)\"")
    assert eaten.exit_code == 137
    forked = workspace.run("for i in $(seq 200); do sleep 30 & done; wait", timeout_s=5)
    assert forked.timed_out or "fork" in forked.output
    filled = workspace.run("head -c 200M /dev/zero >/testbed/big")
    assert filled.exit_code != 0
    assert workspace.run("stat -c %s /testbed/big").output == f"{64 << 20}\n"
    assert "No space left" in workspace.run("head -c 60M /dev/zero >/tmp/big").output
    assert workspace.run("echo alive").output == "alive\n"


def test_a_reset_undoes_files_packages_tmp_processes_and_the_session(workspace: DockerWorkspace) -> None:
    before = workspace.container_id
    workspace.run(
        "echo changed >kept.txt; echo x >$(python3 -c 'import site; print(site.getsitepackages()[0])')/planted.py"
        "; echo x >/tmp/x; export X=1; cd /etc; sleep 1000 >/dev/null 2>&1 &"
    )
    workspace.reset()
    assert workspace.container_id != before
    after = workspace.run("cat kept.txt; python3 -c 'import planted'; ls /tmp; echo X=$X; pwd; pgrep sleep")
    assert after.output.startswith("one\ntwo\n")
    assert "ModuleNotFoundError" in after.output
    assert after.output.endswith("X=\n/testbed\n")


def test_snapshots_can_be_restored_in_any_order(workspace: DockerWorkspace) -> None:
    look = "cat /root/at /tmp/at; pwd; echo $WHERE"
    workspace.run("echo 1 | tee /root/at >/tmp/at; cd /etc; export WHERE=first")
    first = workspace.snapshot()
    assert workspace.run("ls -A /.srl-swe").output.split() == ["link", "python"]
    workspace.run("echo 2 | tee /root/at >/tmp/at; cd /usr; export WHERE=second")
    second = workspace.snapshot()
    workspace.run("rm /root/at /tmp/at")
    for _ in range(2):
        workspace.restore(first)
        assert workspace.run(look).output == "1\n1\n/etc\nfirst\n"
        workspace.restore(second)
        assert workspace.run(look).output == "2\n2\n/usr\nsecond\n"
    third = workspace.snapshot()  # of a restored snapshot
    workspace.restore(third)
    assert workspace.run(look).output == "2\n2\n/usr\nsecond\n"
    with pytest.raises(KeyError):
        workspace.restore("unknown")


def test_closing_removes_the_container_and_its_snapshots(spec: ContainerSpec) -> None:
    containers, images = set(containers_of_this_process()), set(images_of_this_process())
    workspace = DockerWorkspace(spec)
    name = workspace.snapshot()
    for _ in range(7):  # more than may be leaving at once
        workspace.restore(name)
    workspace.snapshot()
    assert len(set(images_of_this_process()) - images) == 2
    workspace.close()
    workspace.close()
    assert set(containers_of_this_process()) <= containers
    assert set(images_of_this_process()) <= images
    with pytest.raises(WorkspaceError, match="closed"):
        workspace.run("true")


class _Given(OneByOne):
    """Notes which containers come back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.back: list[str] = []

    def dispose(self, container: GuestContainer) -> None:
        self.back.append(container.id)
        super().dispose(container)


def test_pristine_containers_go_back_to_their_source_also_while_a_snapshot_is_kept(spec: ContainerSpec) -> None:
    source = _Given()
    with DockerWorkspace(spec, source=source) as workspace:
        name = workspace.snapshot()
        first = workspace.container_id
        workspace.restore(name)
        restored = workspace.container_id
        workspace.reset()
        last = workspace.container_id
    source.close()
    assert source.back == [first, last]
    assert {first, restored, last}.isdisjoint(containers_of_this_process())


def test_the_diff_holds_new_changed_deleted_and_binary_files_and_commits_but_no_ignored_ones(
    workspace: DockerWorkspace,
) -> None:
    assert workspace.diff() == ""
    workspace.run("echo three >>kept.txt; git -c user.name=a -c user.email=a@b commit -qam agent; rm gone.txt")
    workspace.write_bytes("sub/new.py", "ü\n".encode())
    workspace.write_bytes("latin.txt", b"\xfc\n")
    workspace.write_bytes("binary", bytes(range(256)))
    workspace.run("echo x >ignored.log; git config diff.noprefix true; git config color.ui always")
    state = workspace.run("git status --porcelain").output
    patch = workspace.diff()
    assert workspace.run("git status --porcelain").output == state
    workspace.reset()
    workspace.write_bytes("/tmp/patch", patch.encode("utf-8", "surrogateescape"))
    applied = workspace.run("git apply /tmp/patch && cat kept.txt sub/new.py")
    assert applied.output.startswith("one\ntwo\nthree\nü\n")
    assert workspace.read_bytes("binary") == bytes(range(256))
    assert workspace.read_bytes("latin.txt") == b"\xfc\n"
    assert "ignored.log" not in patch
    assert "deleted file mode" in patch


def test_a_destroyed_repository_is_an_error_and_no_empty_patch(workspace: DockerWorkspace) -> None:
    workspace.run("rm -rf .git")
    with pytest.raises(WorkspaceError, match="patch"):
        workspace.diff()


def test_a_container_killed_from_outside_is_an_error_and_a_reset_mends_it(workspace: DockerWorkspace) -> None:
    thread_client().api.kill(workspace.container_id)
    with pytest.raises(WorkspaceError, match="gone"):
        workspace.run("true")
    workspace.reset()
    assert workspace.run("echo alive").output == "alive\n"


def test_an_image_with_nothing_but_a_shell_works_the_same(spec: ContainerSpec, shared: DockerWorkspace) -> None:
    shared.reset()
    roomy = dataclasses.replace(spec, limits=WorkspaceLimits())
    with DockerWorkspace(roomy) as builder:
        built = builder.run(
            "mkdir -p /out/bin /out/etc && cd /out && cp /bin/sh /bin/cat /bin/sleep bin/"
            " && ldd bin/* | grep -o '/lib[^ ]*' | sort -u | xargs -I{} cp --parents {} . && tar -cf /out.tar -C /out ."
        )
        assert built.exit_code == 0, built.output
        tar = builder.read_bytes("/out.tar")
    api = thread_client().api
    api.import_image_from_data(io.BytesIO(tar).getvalue(), repository="srl-swe/test-tiny", tag=str(os.getpid()))
    image = f"srl-swe/test-tiny:{os.getpid()}"
    try:
        with DockerWorkspace(dataclasses.replace(spec, image=image, workdir="/etc")) as tiny:
            ran = tiny.run("export X=kept; cd /bin; echo out; echo err >&2; (exit 7)")
            assert (ran.output, ran.exit_code) == ("out\nerr\n", 7)
            assert tiny.run("pwd; echo $X").output == "/bin\nkept\n"
            late = tiny.run("echo early; sleep 100", timeout_s=1)
            assert (late.output, late.timed_out, late.exit_code) == ("early\n", True, None)
            tiny.write_bytes("/etc/x", b"\x00\xff")
            assert tiny.read_bytes("x") == b"\x00\xff"
            with pytest.raises(WorkspaceError, match="no git repository"):
                tiny.diff()
    finally:
        api.remove_image(image, force=True)


def test_a_missing_image_is_named(base_image: str) -> None:
    with pytest.raises(WorkspaceError, match="no-such-image"):
        DockerWorkspace(ContainerSpec(image="srl-swe/no-such-image:1"))


def test_a_pool_gives_ready_containers_and_leaves_nothing(spec: ContainerSpec) -> None:
    before = set(containers_of_this_process())
    with WarmPool(ready_per_spec=2, workers=2) as pool:
        pool.expect(spec)
        wait_for(lambda: pool.ready(spec) == 2)
        workspaces = [DockerWorkspace(spec, source=pool) for _ in range(3)]
        for round_ in range(2):
            for number, workspace in enumerate(workspaces):
                assert workspace.run(f"cat /tmp/mark; echo {number}-{round_} | tee /tmp/mark").output.endswith(
                    f"No such file or directory\n{number}-{round_}\n"
                )
                workspace.reset()
        wait_for(lambda: pool.ready(spec) == 2)
        assert len(set(containers_of_this_process()) - before) <= 3 + 2 + 3
        for workspace in workspaces:
            workspace.close()
    assert set(containers_of_this_process()) <= before


def test_a_pool_serves_in_the_order_of_asking(spec: ContainerSpec) -> None:
    served: list[int] = []

    def ask(pool: WarmPool, number: int) -> None:
        container = pool.take(spec)
        served.append(number)
        pool.dispose(container)

    with WarmPool(ready_per_spec=1, workers=1) as pool:
        threads = [threading.Thread(target=ask, args=(pool, number)) for number in range(12)]
        for thread in threads:  # faster than one worker starts containers, so that most of them wait together
            thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
    assert served == list(range(12))


def test_a_pool_replaces_what_died_on_its_shelf(spec: ContainerSpec) -> None:
    before = set(containers_of_this_process())
    with WarmPool(ready_per_spec=1, workers=1) as pool:
        pool.expect(spec)
        wait_for(lambda: pool.ready(spec) == 1)
        for container in set(containers_of_this_process()) - before:
            thread_client().api.kill(container)
        with DockerWorkspace(spec, source=pool) as workspace:
            assert workspace.run("echo alive").output == "alive\n"


def test_a_pool_keeps_its_bound_over_many_specs(spec: ContainerSpec) -> None:
    with WarmPool(ready_per_spec=2, max_ready=3, workers=2) as pool:
        specs = [dataclasses.replace(spec, run=f"spec {number}") for number in range(3)]
        for one in specs:
            with DockerWorkspace(one, source=pool) as workspace:
                assert workspace.run("true").exit_code == 0
            wait_for(lambda one=one: pool.ready(one) >= 1)
            assert sum(pool.ready(other) for other in specs) <= 3


def test_failures_in_the_pools_background_reach_whoever_waits(spec: ContainerSpec) -> None:
    def refuse(workspace: CommandRunner) -> None:
        raise ConfigError("this image leaks")

    def break_down(workspace: CommandRunner) -> None:
        raise ZeroDivisionError

    with WarmPool(ready_per_spec=1, workers=1) as pool:
        with pytest.raises(WorkspaceError, match="no-such-image"):
            DockerWorkspace(dataclasses.replace(spec, image="srl-swe/no-such-image:1"), source=pool)
        with pytest.raises(ConfigError, match="this image leaks"):
            DockerWorkspace(dataclasses.replace(spec, prepare=refuse), source=pool)
        with pytest.raises(WorkspaceError, match="ZeroDivisionError"):
            DockerWorkspace(dataclasses.replace(spec, prepare=break_down), source=pool)
        with DockerWorkspace(spec, source=pool) as workspace:  # the pool itself is well
            assert workspace.run("echo alive").output == "alive\n"
    with pytest.raises(WorkspaceError, match="closed"):
        pool.take(spec)


def wait_for(condition, *, limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)

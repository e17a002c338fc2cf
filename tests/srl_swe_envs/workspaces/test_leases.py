"""Leases tell the living from the dead, and the reaper removes only what the dead left."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe_envs.workspaces.leases import (
    LEASE_FILE,
    MAKING_PREFIX,
    Lease,
    Owner,
    lease_root,
    leased_directory,
    make_leased_directory,
    read_lease,
    remove_leased_directory,
)
from srl_swe_envs.workspaces.reaper import reap


@pytest.fixture(autouse=True)
def own_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of this test's own, whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


def dead_owner() -> Owner:
    """A real process that has ended."""
    source = "from srl_swe_envs.workspaces.leases import Owner; print(Owner.current())"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, env=_env())
    return Owner.parse(done.stdout.strip())


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_an_owner_is_alive_while_its_process_is_and_dead_after() -> None:
    assert Owner.current().state() == "alive"
    assert dead_owner().state() == "dead"


def test_a_zombie_is_dead() -> None:
    source = "from srl_swe_envs.workspaces.leases import Owner; print(Owner.current())"
    child = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, env=_env())
    assert child.stdout is not None
    owner = Owner.parse(child.stdout.readline().strip())
    child.stdout.read()  # to its end; not waited for, so it stays a zombie
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
        time.sleep(0.01)
    assert owner.state() == "dead"
    child.wait()


def test_a_process_number_used_again_is_not_the_owner() -> None:
    reused = dataclasses.replace(Owner.current(), start_ticks=Owner.current().start_ticks + 1)
    assert reused.state() == "dead"


@pytest.mark.parametrize("field", ["boot_id", "pid_namespace"])
def test_an_owner_elsewhere_is_judged_by_expiry_alone(field: str) -> None:
    there = dataclasses.replace(Owner.current(), **{field: "other" if field == "boot_id" else 1})
    lease = Lease(owner=there, run="r", expires_at=1000)
    assert there.state() == "elsewhere"
    assert not lease.is_over(now=999)
    assert lease.is_over(now=1000)


def test_a_living_owner_keeps_its_things_even_after_expiry() -> None:
    assert not Lease(owner=Owner.current(), run="r", expires_at=0).is_over()


def test_labels_carry_a_lease_there_and_back() -> None:
    lease = Lease.take(run='a run: "x"')
    assert Lease.from_labels(lease.labels()) == lease


def test_a_leased_directory_goes_at_the_end_and_survives_a_reap_before() -> None:
    with leased_directory("work", run="r") as folder:
        reap()
        lease = read_lease(folder)
        assert lease is not None
        assert lease.owner == Owner.current()
    assert not folder.exists()


def test_the_directory_of_a_dead_owner_is_reaped_with_its_contents() -> None:
    folder = make_leased_directory("work")
    (folder / "deep").mkdir()
    (folder / LEASE_FILE).write_text(json.dumps(Lease(owner=dead_owner(), run="", expires_at=2**40).labels()))
    assert reap().directories == (str(folder),)
    assert not folder.exists()


@pytest.mark.parametrize("lease", [None, "", '{"srl-swe.own'])
def test_a_directory_in_the_making_is_its_makers_whatever_its_lease_says_yet(lease: str | None) -> None:
    elsewhere = dataclasses.replace(Owner.current(), boot_id="another")
    makers = {"dead": dead_owner(), "alive": Owner.current(), "elsewhere": elsewhere}
    folders = {name: lease_root() / f"{MAKING_PREFIX}{owner}-x_1y2z3w" for name, owner in makers.items()}
    for folder in folders.values():
        folder.mkdir()
        (folder / "begun").touch()
        if lease is not None:
            (folder / LEASE_FILE).write_text(lease)
    assert reap().directories == (str(folders["dead"]),)
    for folder in (folders["alive"], folders["elsewhere"]):
        os.utime(folder, (0, 0))
    assert reap().directories == (str(folders["elsewhere"]),)


def test_a_kill_at_any_point_of_making_and_removing_leaves_nothing_after_a_reap() -> None:
    source = """
        import sys, tempfile
        tempfile.tempdir = sys.argv[1]
        from srl_swe_envs.workspaces.leases import leased_directory
        print("begun", flush=True)
        while True:
            with leased_directory("work"):
                pass
    """
    for attempt in range(20):
        command = [sys.executable, "-c", textwrap.dedent(source), tempfile.gettempdir()]
        process = subprocess.Popen(command, env=_env(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline()
        time.sleep(0.0007 * attempt)
        process.kill()
        process.communicate()
        reap()
        assert list(lease_root().iterdir()) == []


def test_a_directory_nobody_is_known_to_have_made_stays_for_its_grace_unless_it_is_empty() -> None:
    folder = make_leased_directory("work")
    (folder / LEASE_FILE).rename(folder / "kept")
    assert reap().directories == ()
    (folder / "kept").unlink()
    assert reap().directories == (str(folder),)
    folder = make_leased_directory("work")
    (folder / LEASE_FILE).rename(folder / "kept")
    os.utime(folder, (0, 0))
    assert reap().directories == (str(folder),)


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_mounts_below_a_dead_owners_directory_are_undone_not_deleted_through(own_tmp: Path) -> None:
    folder = make_leased_directory("work")
    kept = own_tmp / "kept"
    kept.mkdir()
    (kept / "precious").write_text("x")
    (folder / "a b").mkdir()
    subprocess.run(["mount", "--bind", kept, folder / "a b"], check=True)
    (folder / LEASE_FILE).write_text(json.dumps(Lease(owner=dead_owner(), run="", expires_at=2**40).labels()))
    assert str(folder) in reap().directories
    assert (kept / "precious").read_text() == "x"
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()


LEAVE_THINGS = textwrap.dedent("""
    import sys, tempfile, time
    tempfile.tempdir = sys.argv[2]
    from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace
    from srl_swe_envs.workspaces.docker.engine import thread_client
    from srl_swe_envs.workspaces.leases import Lease, make_leased_directory
    workspace = DockerWorkspace(ContainerSpec(image=sys.argv[1], workdir="/", run=sys.argv[3]))
    workspace.run("sleep 1000 & echo started")
    workspace.snapshot()
    labels = Lease.take(run=sys.argv[3]).labels()
    api = thread_client().api
    api.create_volume(labels=labels)
    stuck = api.create_container(sys.argv[1], ["sleep", "1000"], labels=labels)["Id"]
    api.start(stuck)
    make_leased_directory("work")
    print("ready", flush=True)
    time.sleep(1000)
""")


@pytest.mark.docker
def test_kill_9_then_a_reap_leaves_nothing_and_a_concurrent_run_is_untouched(base_image: str, own_tmp: Path) -> None:
    victim, bystander = (_leave_things(base_image, own_tmp, run) for run in ("victim", "bystander"))
    try:
        before = _things_of("bystander")
        assert len(_things_of("victim")) == len(before) == 4  # two containers, an image, a volume
        victim.kill()
        victim.wait()
        reap()
        assert _things_of("victim") == set()
        assert _things_of("bystander") == before
    finally:
        for process in (victim, bystander):
            process.kill()
            process.wait()
        report = reap()
    assert _things_of("bystander") == set()
    assert report.directories
    assert list((own_tmp / f"srl-swe-{os.getuid()}").glob("work-*")) == []


def _leave_things(image: str, folder: Path, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LEAVE_THINGS, image, str(folder), run]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_env())
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _things_of(run: str) -> set[str]:
    from srl_swe_envs.workspaces.docker.engine import thread_client

    api = thread_client().api
    label = {"label": f"srl-swe.run={run}"}
    return {
        *(container["Id"] for container in api.containers(all=True, filters=label)),
        *(image["Id"] for image in api.images(all=True, filters=label)),
        *(volume["Name"] for volume in api.volumes(filters=label)["Volumes"] or []),
    }


def test_a_removal_that_is_stopped_leaves_the_lease_for_the_reaper() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = make_leased_directory("stopped")
    (folder / "aside").mkdir()
    (folder / "mounted").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder / "mounted"], check=True)
    try:
        remove_leased_directory(folder)
        assert sorted(path.name for path in folder.iterdir()) == [LEASE_FILE, "mounted"]
    finally:
        subprocess.run(["umount", folder / "mounted"], check=True)
    remove_leased_directory(folder)
    assert not folder.exists()

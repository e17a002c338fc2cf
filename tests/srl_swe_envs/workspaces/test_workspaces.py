from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from srl_swe_envs.workspaces.protocol import CommandResult, Workspace, WorkspaceLimits


@pytest.fixture(scope="module")
def shared_workspace(workspace_factory: Callable[..., Workspace]) -> Workspace:
    return workspace_factory()


@pytest.fixture
def workspace(shared_workspace: Workspace) -> Workspace:
    shared_workspace.reset()
    return shared_workspace


def run(workspace: Workspace, command: str, timeout_s: float = 20.0) -> CommandResult:
    return workspace.run(command, timeout_s=timeout_s)


def test_directory_and_exported_variables_carry_over_and_others_do_not(workspace: Workspace) -> None:
    run(workspace, "cd pkg; export A='multi\nline \"quoted\"'; B=plain")
    assert run(workspace, 'basename "$PWD"; echo "$A"; echo "<$B>"').output == 'pkg\nmulti\nline "quoted"\n<>\n'


def test_a_failing_command_still_moves_the_session(workspace: Workspace) -> None:
    assert run(workspace, "cd pkg; export C=1; exit 3").exit_code == 3
    assert run(workspace, "basename $PWD$C").output == "pkg1\n"


def test_partial_output_of_a_timed_out_command_is_kept(workspace: Workspace) -> None:
    result = run(workspace, "echo one; sleep 0.2; echo two; sleep 1000", timeout_s=4)
    assert (result.output, result.exit_code, result.timed_out) == ("one\ntwo\n", None, True)


def test_long_output_keeps_head_and_tail(workspace: Workspace) -> None:
    result = run(workspace, "echo first; seq 1000000; echo last")
    assert result.output.startswith("first\n1\n")
    assert result.output.endswith("1000000\nlast\n")
    whole = len("first\nlast\n") + sum(len(str(number)) + 1 for number in range(1, 1_000_001))
    mark = f"\n[... {result.elided_chars} characters elided ...]\n"
    assert mark in result.output
    assert len(result.output) - len(mark) + result.elided_chars == whole


def test_files_come_back_as_they_were_written(workspace: Workspace) -> None:
    data = bytes(range(256)) * 1000
    workspace.write_bytes("new folder/ü.bin", data)
    assert workspace.read_bytes("new folder/ü.bin") == data
    assert run(workspace, "wc -c <'new folder/ü.bin'").output.strip() == str(len(data))
    workspace.write_bytes("new folder/ü.bin", b"")
    assert workspace.read_bytes("new folder/ü.bin") == b""


def test_writing_keeps_a_file_executable(workspace: Workspace) -> None:
    run(workspace, "echo 'echo old' >script; chmod 755 script")
    workspace.write_bytes("script", b"echo new\n")
    assert run(workspace, "./script").output == "new\n"


def test_paths_that_can_not_be_read_or_written_raise_what_open_would(workspace: Workspace) -> None:
    run(workspace, "mkfifo /tmp/pipe; ln -s loop loop")
    with pytest.raises(FileNotFoundError):
        workspace.read_bytes("absent")
    with pytest.raises(IsADirectoryError):
        workspace.read_bytes("pkg")
    with pytest.raises(NotADirectoryError):
        workspace.read_bytes("README/x")
    with pytest.raises(OSError, match="regular"):
        workspace.read_bytes("/tmp/pipe")
    with pytest.raises(OSError, match="regular"):
        workspace.read_bytes("/dev/zero")
    with pytest.raises(OSError, match="symbolic"):
        workspace.read_bytes("loop")
    with pytest.raises(IsADirectoryError):
        workspace.write_bytes("pkg", b"")
    assert run(workspace, "echo alive").output == "alive\n"


def test_the_patch_holds_changed_new_and_deleted_files_and_applies(workspace: Workspace) -> None:
    assert workspace.diff() == ""
    workspace.write_bytes("pkg/core.py", b"def area(width, height):\n    return width * height\n")
    workspace.write_bytes("pkg/new.py", b"NEW = '\xff'\n")
    workspace.write_bytes("pkg/picture.bin", bytes(range(256)))
    run(workspace, "rm README; touch pkg/core.pyc; mkdir empty")
    patch = workspace.diff()
    assert workspace.diff() == patch
    assert "-    return width + height\n+    return width * height\n" in patch
    assert "core.pyc" not in patch
    workspace.reset()
    workspace.write_bytes("/tmp/patch", patch.encode("utf-8", "surrogateescape"))
    applied = run(workspace, "git apply /tmp/patch && cat pkg/core.py && ls README")
    assert "width * height" in applied.output
    assert "No such file" in applied.output
    assert workspace.read_bytes("pkg/picture.bin") == bytes(range(256))
    assert workspace.diff() == patch


def test_the_patch_counts_from_the_initial_commit_whatever_was_committed_since(workspace: Workspace) -> None:
    workspace.write_bytes("README", b"third\n")
    run(workspace, "git -c user.name=a -c user.email=a@a commit -qam third; git checkout -q --orphan other")
    assert "-second\n+third\n" in workspace.diff()


def test_taking_the_patch_leaves_the_index_alone(workspace: Workspace) -> None:
    workspace.write_bytes("README", b"third\n")
    workspace.write_bytes("new", b"new\n")
    before = run(workspace, "git status --short").output
    workspace.diff()
    assert run(workspace, "git status --short").output == before == " M README\n?? new\n"


def test_configuration_that_the_agent_planted_does_not_change_the_patch(workspace: Workspace) -> None:
    workspace.write_bytes("README", b"third\n")
    plain = workspace.diff()
    run(
        workspace,
        "git config diff.external /tmp/evil; git config core.fsmonitor /tmp/evil; git config diff.noprefix true\n"
        "git config color.ui always; git config diff.evil.textconv /tmp/evil; git config core.hooksPath /tmp/hooks\n"
        "echo '* diff=evil' >.git/info/attributes; export GIT_EXTERNAL_DIFF=/tmp/evil GIT_DIR=/nowhere\n"
        "printf '#!/bin/sh\\ntouch /tmp/ran; echo evil\\n' >/tmp/evil; chmod 755 /tmp/evil",
    )
    assert workspace.diff() == plain
    assert run(workspace, "ls /tmp/ran").exit_code != 0


def test_an_edit_of_the_same_size_in_the_second_that_git_last_looked_is_in_the_patch(workspace: Workspace) -> None:
    """Git tells such an edit only by the time of its index (its "racy git" case)."""
    run(
        workspace,
        "until [ $(date +%N) -lt 200000000 ]; do sleep 0.05; done; touch README; git add README; "
        "echo SECOND >README; sleep 1.1",
    )
    assert "-second\n+SECOND\n" in workspace.diff()


def test_reset_undoes_files_packages_temporary_files_session_and_processes(workspace: Workspace) -> None:
    before = run(workspace, "find /etc /tmp /root /usr/local 2>/dev/null | sort | md5sum").output
    run(
        workspace,
        "sleep 1000 & touch /tmp/x /root/x /usr/local/x /etc/x; echo broken >README; git commit -qam x;"
        "rm -rf pkg; echo 'exit 1' >.git/hooks/pre-commit; git config a.b c; export A=1; cd /tmp; mkdir /dev/shm/x",
    )
    workspace.reset()
    assert run(workspace, "find /etc /tmp /root /usr/local 2>/dev/null | sort | md5sum").output == before
    assert run(workspace, "cat README; ls; git status --short; git config a.b; echo $A").output == (
        "second\nREADME\npkg\n\n"
    )
    assert run(workspace, "pgrep sleep; ls /dev/shm; pwd").output.startswith("/")


def test_snapshots_come_back_any_number_of_times_in_any_order(workspace: Workspace) -> None:
    run(workspace, "cd pkg; export STEP=1; echo one >../README; touch /tmp/one; rm core.py")
    first = workspace.snapshot()
    run(workspace, "cd ..; export STEP=2; echo two >README; touch /tmp/two; mkdir pkg/sub; echo back >pkg/core.py")
    second = workspace.snapshot()
    run(workspace, "rm -rf pkg README /tmp/one /tmp/two; cd /")
    look = (
        'basename $PWD; echo $STEP; cd "$(git rev-parse --show-toplevel)"; cat README pkg/core.py;'
        " ls /tmp | grep -x one; ls /tmp | grep -x two"
    )
    expected = {
        first: "pkg\n1\none\ncat: pkg/core.py: No such file or directory\none\n",
        second: None,
    }
    workspace.restore(second)
    expected[second] = run(workspace, look).output
    assert "2\ntwo\nback\none\ntwo\n" in (expected[second] or "")
    for name in (first, second, first, first, second):
        workspace.restore(name)
        assert run(workspace, look).output == expected[name]
        run(workspace, "rm -rf /tmp/*; echo spoiled >README; export STEP=9")
    workspace.reset()
    assert run(workspace, "cat README; echo $STEP").output == "second\n\n"
    workspace.restore(first)
    assert run(workspace, look).output == expected[first]


def test_an_unknown_snapshot_is_a_key_error(workspace: Workspace) -> None:
    with pytest.raises(KeyError):
        workspace.restore("never taken")
    assert run(workspace, "echo alive").output == "alive\n"


def test_eight_workspaces_at_once_do_not_see_each_other(workspace_factory: Callable[..., Workspace]) -> None:
    workspaces = [workspace_factory(limits=WorkspaceLimits(memory_bytes=256 << 20)) for _ in range(8)]

    def work(number: int) -> list[str]:
        workspace = workspaces[number]
        outputs = []
        for turn in range(5):
            run(workspace, f"echo {number}.{turn} >>README; sleep 100 & export N={number}", timeout_s=60)
            # under load a background job is for a while still the shell that becomes it
            count = f"until [ $(pgrep -c sleep) -ge {turn + 1} ]; do :; done; pgrep -c sleep"
            outputs.append(run(workspace, f"tail -1 README; echo $N; {count}", timeout_s=60).output)
        run(workspace, "echo late; sleep 1000", timeout_s=0.5)
        workspace.reset()
        outputs.append(run(workspace, "cat README", timeout_s=60).output)
        workspace.close()
        return outputs

    with ThreadPoolExecutor(8) as pool:
        for number, outputs in enumerate(pool.map(work, range(8))):
            assert outputs == [*(f"{number}.{turn}\n{number}\n{turn + 1}\n" for turn in range(5)), "second\n"]

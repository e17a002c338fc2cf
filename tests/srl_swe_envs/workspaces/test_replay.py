import pytest

from srl_swe_envs import Observation, Shell, Turn, WorkspaceError
from srl_swe_envs.workspaces.protocol import Workspace
from srl_swe_envs.workspaces.replay import ReplayWorkspace

TURNS = (
    Turn(thought="", action=Shell(command="a"), observation=Observation(text="A", exit_code=1, elided_chars=5)),
    Turn(thought="", action=Shell(command="b")),
)


def test_it_is_a_workspace_whose_commands_give_what_was_recorded():
    workspace = ReplayWorkspace(TURNS)
    assert isinstance(workspace, Workspace)
    first, second = workspace.run("rm -rf /"), workspace.run("b")
    assert (first.output, first.exit_code, first.elided_chars, first.timed_out) == ("A", 1, 5, False)
    assert (second.output, second.exit_code) == ("", None)
    with pytest.raises(WorkspaceError, match="ended after 2 turns"):
        workspace.run("c")


def test_it_goes_back_to_any_place():
    workspace = ReplayWorkspace(TURNS)
    start = workspace.snapshot()
    workspace.run("a")
    later = workspace.snapshot()
    workspace.restore(start)
    assert workspace.run("a").output == "A"
    workspace.restore(later)
    assert workspace.run("b").output == ""
    workspace.reset()
    assert workspace.run("a").output == "A"
    for unknown in ("9", "x"):
        with pytest.raises(KeyError):
            workspace.restore(unknown)


def test_it_has_no_files_and_no_patch():
    workspace = ReplayWorkspace(TURNS)
    with pytest.raises(FileNotFoundError):
        workspace.read_bytes("/a")
    with pytest.raises(OSError, match="can't be written"):
        workspace.write_bytes("/a", b"")
    assert workspace.diff() == ""
    workspace.close()

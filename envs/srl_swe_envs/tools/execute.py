"""An agent's action, done for real in a workspace: the one place where an `Action` becomes an `Observation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ..actions import Action, Create, Insert, OtherCall, Replace, Shell, Submit, Undo, View
from ..trajectories import Observation
from ..workspaces.protocol import CommandResult, Workspace
from .editor import Editor
from .workspace_files import WorkspaceFiles

_NOT_EXECUTABLE = 127


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one episode: the workspace's shell, and an editor with its undo history.

    Make a new one after `Workspace.reset` or `restore`: the editor's history is of the files as they were.
    """

    workspace: Workspace
    editor: Editor
    timeout_s: float
    """Wall time of one shell command."""

    @classmethod
    def on(cls, workspace: Workspace, *, workdir: str = "/", timeout_s: float = 60.0) -> Tools:
        """Tools for a workspace whose repository lies in `workdir`."""
        return cls(workspace, Editor(WorkspaceFiles(workspace), workdir=workdir), timeout_s)

    def execute(self, action: Action) -> Observation:
        """What the agent sees of its action; raises WorkspaceError when the workspace failed, nothing else."""
        match action:
            case Shell():
                return self._shell(action.command)
            case View() | Create() | Replace() | Insert() | Undo():
                result = self.editor.run(action)
                return Observation(text=result.text, exit_code=result.exit_code)
            case Submit():
                return Observation(text="", exit_code=0)
            case OtherCall():
                return Observation(text=f"The tool {action.tool} is not available here.", exit_code=_NOT_EXECUTABLE)
            case _:
                assert_never(action)

    def _shell(self, command: str) -> Observation:
        try:
            command.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            return Observation(
                text=f"The command is no text that can be run: {error.reason}.", exit_code=_NOT_EXECUTABLE
            )
        return _shell_observation(self.workspace.run(command, timeout_s=self.timeout_s), self.timeout_s)


def _shell_observation(result: CommandResult, timeout_s: float) -> Observation:
    """Output as it came; a time-out is said after what the command had printed until then."""
    text = result.output
    if result.timed_out:
        note = (
            f"The command was cancelled because it took more than {timeout_s:g} seconds. Please try a different command"
            " that completes more quickly. Note: input from a user is impossible here, so a command that waits for it"
            " never completes."
        )
        text = f"{text.rstrip()}\n\n{note}" if text.strip() else note
    return Observation(text=text, exit_code=result.exit_code, elided_chars=result.elided_chars)

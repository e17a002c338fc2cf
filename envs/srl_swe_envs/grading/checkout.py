"""The graded state of a repository: its commit, the patch without what it may not change, and the test patch.

Git itself says which paths a patch touches: it is applied to a second index in which the protected paths are then set
back, so there is no second reading of the diff format that could disagree with git's.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ..errors import WorkspaceError
from ..workspaces.protocol import CommandResult, Workspace
from .protected import Protection, protection

_GIT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """A fresh workspace's repository in `workdir`, with a scratch folder outside it."""

    workspace: Workspace
    workdir: str
    folder: str

    def protection(self, test_ids: tuple[str, ...], test_patch: str) -> Protection:
        """What patches may not change here. Raises WorkspaceError when the test patch does not apply."""
        self._git("read-tree HEAD")
        if test_patch and not self._apply(test_patch):
            raise WorkspaceError("the task's test patch does not apply to its repository")
        touched = self._changed_paths()
        known = self._list("ls-tree -z --name-only HEAD ./ src/ lib/")
        return protection(test_ids, touched, known)

    def put(self, patch: str, test_patch: str, protected: Protection) -> tuple[str, ...] | None:
        """Bring the working tree to the graded state; the paths left out of the patch, or None if it does not apply."""
        self._git("read-tree HEAD")
        if patch.strip() and not self._apply(patch):
            return None
        left_out = tuple(path for path in self._changed_paths() if protected.covers(path))
        if left_out:
            self._write_list("left_out", left_out)
            self._git(f"update-index --force-remove -z --stdin < {self.folder}/left_out")
            restored = f"xargs -0 -r {self._command('ls-tree -r -z HEAD --')} < {self.folder}/left_out"
            self._run(f"{restored} | {self._command('update-index -z --index-info')}")
        if test_patch and not self._apply(test_patch):
            raise WorkspaceError("the task's test patch does not apply to its repository")
        self._write_list("deleted", self._changed_paths("--diff-filter=D"))
        self._write_list("changed", self._changed_paths("--diff-filter=d"))
        self._run(f"xargs -0 -r rm -f -- < {self.folder}/deleted")
        self._git(f"checkout-index -f -z --stdin < {self.folder}/changed")
        return left_out

    def _apply(self, patch: str) -> bool:
        text = patch if patch.endswith("\n") else patch + "\n"
        self.workspace.write_bytes(f"{self.folder}/patch", text.encode("utf-8", "surrogateescape"))
        applied = self._try(self._command(f"apply --cached --whitespace=nowarn {self.folder}/patch"))
        return applied.exit_code == 0

    def _changed_paths(self, options: str = "") -> tuple[str, ...]:
        """Paths that differ between the commit and the second index, both ends of a rename."""
        return self._list(f"diff-index --cached --no-renames --name-only -z {options} HEAD")

    def _list(self, arguments: str) -> tuple[str, ...]:
        """Names that git printed with NUL between them; by a file, because outputs are shortened."""
        self._git(f"{arguments} > {self.folder}/list")
        names = self.workspace.read_bytes(f"{self.folder}/list").split(b"\0")
        return tuple(name.decode("utf-8", "surrogateescape") for name in names if name)

    def _write_list(self, name: str, paths: tuple[str, ...]) -> None:
        data = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
        self.workspace.write_bytes(f"{self.folder}/{name}", data)

    def _command(self, arguments: str) -> str:
        return f"env GIT_INDEX_FILE={self.folder}/index git --literal-pathspecs -c safe.directory='*' {arguments}"

    def _git(self, arguments: str) -> None:
        self._run(self._command(arguments))

    def _run(self, command: str) -> None:
        result = self._try(command)
        if result.exit_code != 0:
            raise WorkspaceError(f"grading could not prepare {self.workdir}: {command}: {result.output.strip()[-500:]}")

    def _try(self, command: str) -> CommandResult:
        return self.workspace.run(f"cd {shlex.quote(self.workdir)} && {command}", timeout_s=_GIT_TIMEOUT_S)

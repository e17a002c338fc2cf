"""A workspace without a daemon: a sandbox of namespaces on the host's programs or on an unpacked image."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ...errors import ConfigError, WorkspaceError
from ..guest.client import GuestClient, GuestSetup, SessionState
from ..patches import initial_commit, take_patch
from ..protocol import CommandResult, WorkspaceLimits
from . import isolation as isolation_
from .assemble import Sandboxed, assemble
from .head import head_commit
from .plain import PlainCopy
from .sandbox import NamespaceSandbox

_COMMIT_ALL = (
    "git init -q && git add -A && git -c user.name=task -c user.email=task@localhost"
    " commit -q --no-verify --no-gpg-sign --allow-empty -m 'Initial state'"
)
_PRISTINE = "pristine"


class LocalWorkspace:
    """A `Workspace` in a sandbox of this machine's kernel. Starts in milliseconds, needs no daemon.

    source: the task's files on the host; they appear, writable, at `workdir`, and are never changed. A git clone
        keeps its history; a plain folder gets an initial commit. While a workspace is open nothing else should
        change them. Without a source, `workdir` is a folder of the rootfs.
    rootfs: an unpacked image to run on; without one, the host's programs and libraries (see `rootfs`) and the
        folders in `expose` (default: the running Python).
    session: carry the directory and exported variables from command to command.
    isolation: "none" gives up the sandbox: plain subprocesses in a temporary copy, for trusted commands only, in a
        folder of its own (see the property `workdir`).

    Raises ConfigError for paths that can't work, WorkspaceError when the machine does not allow the sandbox.
    """

    def __init__(
        self,
        source: Path | str | None = None,
        *,
        workdir: str = "/testbed",
        rootfs: Path | str | None = None,
        expose: tuple[Path, ...] | None = None,
        env: Mapping[str, str] | None = None,
        limits: WorkspaceLimits | None = None,
        session: bool = True,
        isolation: Literal["namespaces", "none"] = "namespaces",
    ) -> None:
        self._limits = limits or WorkspaceLimits()
        self._session = session
        self._names = itertools.count(1)
        self._states: dict[str, SessionState] = {}
        self._client: GuestClient | None = None
        folder = None if source is None else _checked(source, workdir)
        self._sandbox: NamespaceSandbox | PlainCopy
        if isolation == "none":
            plain = PlainCopy(folder)
            self._sandbox, self._isolation, workdir = plain, isolation_.UNSAFE, plain.workdir
            self._env: Mapping[str, str] = dict(env or {})
        else:
            made: Sandboxed = assemble(folder, workdir, rootfs, expose, self._limits)
            with isolation_.refusing():
                self._sandbox, self._isolation = NamespaceSandbox(made.spec), made.isolation
            self._env = {**made.env, **(env or {})}
        self._workdir = workdir
        self._pristine: str | None = None
        try:
            with isolation_.refusing():
                client = self._sandbox.start()
            self._enter(client)
            self._initial_commit = self._find_initial_commit(folder)
        except BaseException:
            self.close()
            raise

    @property
    def workdir(self) -> str:
        """The task's directory inside."""
        return self._workdir

    def isolation(self) -> isolation_.Isolation:
        """What is isolated and what is not, on this machine."""
        return self._isolation

    def run(self, command: str, *, timeout_s: float | None = None) -> CommandResult:
        """Run a command; see the protocol."""
        limit_s = self._limits.timeout_s if timeout_s is None else timeout_s
        return self._live().run(command, timeout_s=limit_s, session=self._session)

    def read_bytes(self, path: str) -> bytes:
        """Contents of a file; see the protocol."""
        return self._live().read(path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Make or replace a file; see the protocol."""
        self._live().write(path, data)

    def diff(self) -> str:
        """The patch since the initial commit; see the protocol."""
        if not self._initial_commit:
            raise WorkspaceError(f"{self._workdir} is no git repository and git could not make it one")
        return take_patch(self._live(), self._workdir, self._initial_commit)

    def reset(self) -> None:
        """Back to the pristine state; also after the sandbox has died."""
        self._leave()
        self._enter(self._sandbox.start(()) if self._pristine is None else self._sandbox.thaw(self._pristine))

    def snapshot(self) -> str:
        """Freeze the files' layer (in constant time) and go on above it; the session goes on, processes end."""
        name = f"snapshot-{next(self._names)}"
        state = self._live().state()
        self._leave()
        self._enter(self._sandbox.freeze(name))
        self._live().resume(state)
        self._states[name] = state
        return name

    def restore(self, snapshot: str) -> None:
        """Back to a snapshot, with the session it had. Raises KeyError for an unknown name."""
        state = self._states[snapshot]
        self._leave()
        self._enter(self._sandbox.thaw(snapshot))
        self._live().resume(state)

    def close(self) -> None:
        """End the sandbox; nothing of it remains. May be called twice."""
        self._leave()
        self._sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _live(self) -> GuestClient:
        if self._client is None:
            raise WorkspaceError("the workspace is closed")
        return self._client

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _enter(self, client: GuestClient) -> None:
        self._client = client
        setup = GuestSetup(
            workdir=self._workdir,
            env=self._env,
            clear_env=self._isolation.kind == "namespaces",
            output_bytes=self._limits.output_chars,
            pids=self._limits.pids,
        )
        client.setup(setup)

    def _find_initial_commit(self, folder: Path | None) -> str:
        """The commit the task starts from; made, and frozen as the pristine state, where there is none yet."""
        client = self._live()
        commit = head_commit(folder) if folder is not None else ""
        commit = commit or initial_commit(client, self._workdir)
        if commit or folder is None:
            return commit
        made = client.run(_COMMIT_ALL, timeout_s=300.0, cwd=self._workdir)
        if made.exit_code != 0:
            return ""
        commit = initial_commit(client, self._workdir)
        self._leave()
        self._enter(self._sandbox.freeze(_PRISTINE))
        self._pristine = _PRISTINE
        return commit


def _checked(source: Path | str, workdir: str) -> Path:
    folder = Path(source).resolve()
    if not folder.is_dir():
        raise ConfigError(f"{source} is not a directory: give the folder with the task's files")
    if not workdir.startswith("/") or workdir == "/":
        raise ConfigError(f"workdir {shlex.quote(workdir)} must be an absolute path inside the workspace, and not /")
    if (folder / ".git").is_file():
        raise ConfigError(f"{source} is a git worktree or submodule, whose history lies elsewhere: give a clone of it")
    return folder

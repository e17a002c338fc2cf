"""A workspace in a container: the default back end for anything that is not trusted.

What it isolates: files, processes, the network (none), users (no capability, no new privileges, the engine's default
seccomp filter), memory, processor time, the number of processes, the size of a file and of /tmp. What it does not: the
kernel is shared, and the usual storage drivers put no quota on many files together.

`reset` replaces the container, from a warm pool where there is one; `snapshot` commits it to an image.
"""

from __future__ import annotations

import contextlib
import shlex
import uuid
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ...errors import WorkspaceError
from ..guest.client import SessionState
from ..patches import initial_commit, take_patch
from ..protocol import CommandResult
from .container import GuestContainer, remove_image
from .pristine import PristineImages
from .spec import ContainerSpec

SAVED_TMP = "/.srl-swe/tmp"
_COPY_TIMEOUT_S = 120.0
_MOST_LEAVING = 4
"""Containers of snapshots that end without anybody's waiting; a restore beyond that waits for the oldest."""


class ContainerSource(Protocol):
    """Where pristine containers come from and used ones go: `OneByOne` or a `WarmPool`."""

    def take(self, spec: ContainerSpec) -> GuestContainer:
        """A pristine container of the spec. Raises WorkspaceError."""
        ...

    def dispose(self, container: GuestContainer) -> None:
        """Take back a used container, to be removed now or soon."""
        ...


class OneByOne:
    """Makes a container when one is asked for, removes it when it is given back."""

    def __init__(self) -> None:
        self._images = PristineImages()

    def take(self, spec: ContainerSpec) -> GuestContainer:
        """Start a container and wait for it."""
        return self._images.start(spec)

    def dispose(self, container: GuestContainer) -> None:
        """Remove a container and wait until it is gone."""
        container.remove()

    def close(self) -> None:
        """Remove the images made by `prepare`."""
        self._images.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    image: str
    session: SessionState


class DockerWorkspace:
    """A `Workspace` in a container of a task's image. One thread at a time."""

    def __init__(self, spec: ContainerSpec, *, source: ContainerSource | None = None) -> None:
        """Takes the first container, from a warm pool shared with other workspaces when `source` is one.

        Raises WorkspaceError, and whatever the spec's `prepare` raises.
        """
        self._spec = spec
        self._own_source = OneByOne()
        self._source: ContainerSource = self._own_source if source is None else source
        self._snapshots: dict[str, _Snapshot] = {}
        self._leaving: deque[GuestContainer] = deque()
        self._container: GuestContainer | None = self._source.take(spec)
        try:
            self._initial_commit = initial_commit(self._container.client, spec.workdir)
        except BaseException:
            self.close()
            raise

    @property
    def container_id(self) -> str:
        """The engine's id of the container in use; every reset and restore changes it."""
        return self._live().id

    def run(self, command: str, *, timeout_s: float | None = None) -> CommandResult:
        """Run a command; see the protocol."""
        limit_s = self._spec.limits.timeout_s if timeout_s is None else timeout_s
        return self._live().client.run(command, timeout_s=limit_s, session=self._spec.session)

    def read_bytes(self, path: str) -> bytes:
        """Contents of a file; see the protocol."""
        return self._live().client.read(path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Make or replace a file; see the protocol."""
        self._live().client.write(path, data)

    def diff(self) -> str:
        """The patch from the first commit to the files as they are; see the protocol.

        Raises WorkspaceError when the folder was no repository to begin with, or when the agent has broken it.
        """
        if not self._initial_commit:
            raise WorkspaceError(f"{self._spec.workdir} of {self._spec.image} is no git repository with a commit")
        return take_patch(self._live().client, self._spec.workdir, self._initial_commit)

    def reset(self) -> None:
        """Back to the pristine state, in a container of its own; also after the old one has died."""
        self._replace(self._source.take(self._spec))

    def snapshot(self) -> str:
        """Commit the container to an image, with /tmp and the session; background processes end."""
        container = self._live()
        client = container.client
        client.sweep()
        session = client.state()
        if self._spec.tmp_bytes:
            self._copy(container, "/tmp", SAVED_TMP)
        image = container.commit()
        if self._spec.tmp_bytes:
            client.run(f"rm -rf {SAVED_TMP}", timeout_s=_COPY_TIMEOUT_S, cwd="/")
        name = uuid.uuid4().hex
        self._snapshots[name] = _Snapshot(image=image, session=session)
        return name

    def restore(self, snapshot: str) -> None:
        """Back to a snapshot, in a new container. Raises KeyError for an unknown name."""
        saved = self._snapshots[snapshot]
        container = GuestContainer.start(self._spec, image=saved.image)
        try:
            if self._spec.tmp_bytes:
                self._copy(container, SAVED_TMP, "/tmp")
                container.client.run(f"rm -rf {SAVED_TMP}", timeout_s=_COPY_TIMEOUT_S, cwd="/")
            container.client.resume(saved.session)
        except BaseException:
            container.remove()
            raise
        self._replace(container)

    def close(self) -> None:
        """Remove the container and the snapshots; without a pool, waits until they are gone. May be called twice.

        The processes inside end in any case. What an engine in trouble does not remove now, the reaper removes later.
        """
        container, self._container = self._container, None
        with contextlib.suppress(WorkspaceError):
            if container is not None:
                self._release(container)
            while self._leaving:  # a snapshot's image can't go while a container stands on it
                self._leaving.popleft().remove()
            for name in reversed(tuple(self._snapshots)):  # a snapshot of a snapshot goes first
                remove_image(self._snapshots.pop(name).image)
            self._own_source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _live(self) -> GuestContainer:
        if self._container is None:
            raise WorkspaceError("the workspace is closed")
        return self._container

    def _replace(self, fresh: GuestContainer) -> None:
        used, self._container = self._container, fresh
        if used is not None:
            self._release(used)

    def _release(self, container: GuestContainer) -> None:
        if container.image not in {saved.image for saved in self._snapshots.values()}:
            self._source.dispose(container)
            return
        container.client.close()
        self._leaving.append(container)
        if len(self._leaving) > _MOST_LEAVING:
            self._leaving.popleft().remove()

    def _copy(self, container: GuestContainer, source: str, target: str) -> None:
        """Copy a folder inside the container; /tmp is memory, which a commit leaves out."""
        here, there = shlex.quote(source), shlex.quote(target)
        command = f"rm -rf {there}/* && mkdir -p {there} && cp -a {here}/. {there}/"
        ran = container.client.run(command, timeout_s=_COPY_TIMEOUT_S, cwd="/")
        if ran.exit_code != 0:
            raise WorkspaceError(f"can't copy {source} to {target} in the container: {ran.output[-300:].strip()}")

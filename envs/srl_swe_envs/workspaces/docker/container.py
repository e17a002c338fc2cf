"""One running container with the guest agent connected to it."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from typing import Any, Self

from ...errors import WorkspaceError
from ..guest.client import GuestClient, GuestSetup
from ..leases import Lease, leased_directory
from .engine import engine_errors, thread_client
from .runtime import guest_python
from .spec import SOCKET_NAME, ContainerSpec, container_arguments

START_TIMEOUT_S = 60.0
REMOVE_TIMEOUT_S = 30.0
_POLL_S = 1.0


class GuestContainer:
    """A container whose first process is the agent; it ends, and is removed by the engine, when this side hangs up.

    A killed host process hangs up too, so its containers go without anybody's help.
    """

    def __init__(self, container_id: str, client: GuestClient, spec: ContainerSpec, image: str) -> None:
        self.id = container_id
        self.client = client
        self.spec = spec
        self.image = image

    @classmethod
    def start(cls, spec: ContainerSpec, *, image: str) -> Self:
        """Make and start a container of `image` and wait for its agent. Raises WorkspaceError."""
        python = guest_python()
        lease = Lease.take(run=spec.run, lease_s=spec.lease_s)
        with leased_directory("link", run=spec.run) as link, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(link / SOCKET_NAME))
            (link / SOCKET_NAME).chmod(0o666)
            listener.listen(1)
            arguments = container_arguments(spec, image=image, lease=lease, python=python, link=link)
            container_id = _create(arguments)
            try:
                with engine_errors(f"starting a container of {image}"):
                    thread_client().api.start(container_id)
                client = GuestClient(_accept(listener, container_id, image))
                client.setup(_setup(spec))
            except BaseException:
                _remove_by_force(container_id)
                raise
        return cls(container_id, client, spec, image)

    def commit(self) -> str:
        """The container's files as a new image (its id); the image inherits the container's lease.

        Only the agent should be running. What lies in memory file systems is not part of it.
        """
        with engine_errors(f"committing container {self.id[:12]}"):
            return str(thread_client().api.commit(self.id, pause=False)["Id"])

    def remove(self) -> None:
        """Hang up and wait until the engine has removed the container; by force when it doesn't go."""
        self.client.close()
        deadline = time.monotonic() + REMOVE_TIMEOUT_S
        pause_s = 0.01
        while time.monotonic() < deadline:
            if not _exists(self.id):
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.2)
        _remove_by_force(self.id)


def remove_image(image: str) -> None:
    """Remove a snapshot's image; one that is gone already is no error. Raises WorkspaceError."""
    import docker.errors

    with engine_errors(f"removing image {image[:19]}"), contextlib.suppress(docker.errors.NotFound):
        # By default the engine removes unnamed parents too, which may be the image that others start from.
        thread_client().api.remove_image(image, force=True, noprune=True)


def _create(arguments: dict[str, Any]) -> str:
    import docker.errors

    image = arguments["image"]
    with engine_errors(f"making a container of {image}"):
        api = thread_client().api
        host_config = api.create_host_config(**arguments.pop("host_config"))
        name = f"srl-swe-{uuid.uuid4().hex[:16]}"
        try:
            made = api.create_container(name=name, host_config=host_config, **arguments)
        except docker.errors.ImageNotFound as error:
            raise WorkspaceError(f"image {image} is not on this machine: build it or pull it first") from error
    return str(made["Id"])


def _setup(spec: ContainerSpec) -> GuestSetup:
    return GuestSetup(
        workdir=spec.workdir,
        env=dict(spec.env),
        output_bytes=spec.limits.output_chars,
        pids=spec.limits.pids,
    )


def _accept(listener: socket.socket, container_id: str, image: str) -> socket.socket:
    """The agent's connection; WorkspaceError when the container ends first or nothing comes in time."""
    deadline = time.monotonic() + START_TIMEOUT_S
    listener.settimeout(_POLL_S)
    while time.monotonic() < deadline:
        try:
            return listener.accept()[0]
        except TimeoutError:
            if not _exists(container_id):
                raise WorkspaceError(f"the agent of a container of {image} ended before it connected") from None
    raise WorkspaceError(
        f"the agent of a container of {image} did not connect within {START_TIMEOUT_S:.0f} s "
        "(the engine must run on this machine, not in a virtual machine or elsewhere)"
    )


def _exists(container_id: str) -> bool:
    import docker.errors

    with engine_errors(f"looking for container {container_id[:12]}"):
        try:
            thread_client().api.inspect_container(container_id)
        except docker.errors.NotFound:
            return False
    return True


def _remove_by_force(container_id: str) -> None:
    import docker.errors

    with engine_errors(f"removing container {container_id[:12]}"):
        try:
            thread_client().api.remove_container(container_id, force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if "already in progress" not in str(error.explanation):
                raise

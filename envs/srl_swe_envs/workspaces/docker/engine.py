"""The connection to a container engine, made only when a container is.

The Docker SDK is an optional dependency (`pip install srl-swe[containers]`) and costs a tenth of a second to import,
so it is imported here, inside the functions.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient

API_TIMEOUT_S = 120
_clients = threading.local()


def connect() -> DockerClient:
    """A client of the engine that `DOCKER_HOST` names, or of the local one, after it has answered.

    Raises WorkspaceError with the way out when the SDK is absent or no engine answers. One client per thread: the
    SDK's connection pool is not made for sharing.
    """
    try:
        import docker
    except ImportError as error:
        raise WorkspaceError("the Docker SDK is not installed: pip install 'srl-swe[containers]'") from error
    try:
        client: DockerClient = docker.from_env(timeout=API_TIMEOUT_S)
        client.ping()
    except Exception as error:  # the SDK lets errors of requests and urllib3 through beside its own
        raise WorkspaceError(f"no container engine answers (containers/engine.sh base starts one): {error}") from error
    return client


def thread_client() -> DockerClient:
    """This thread's client, connected on first use; a forked child gets clients of its own."""
    known: DockerClient | None = getattr(_clients, "client", None)
    if known is None or _clients.pid != os.getpid():
        known = _clients.client = connect()
        _clients.pid = os.getpid()
    return known


def engine_problem() -> str | None:
    """Why containers can't be used here, in one line; None when they can. For `doctor` and for tests that skip."""
    try:
        connect().close()
    except WorkspaceError as error:
        return str(error)
    return None


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn whatever the SDK raises into a WorkspaceError that says what was being done."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.DockerException as error:
        raise WorkspaceError(f"{doing}: {error}") from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise WorkspaceError(f"{doing}: the container engine does not answer: {error}") from error

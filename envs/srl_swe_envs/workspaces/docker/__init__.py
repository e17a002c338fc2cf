"""Workspaces in containers, by the Docker SDK (imported only when a container is made)."""

from .container import GuestContainer
from .engine import engine_problem
from .opening import docker_opener, spec_of
from .pool import WarmPool
from .spec import ContainerSpec
from .workspace import DockerWorkspace

__all__ = [
    "ContainerSpec",
    "DockerWorkspace",
    "GuestContainer",
    "WarmPool",
    "docker_opener",
    "engine_problem",
    "spec_of",
]

"""Containers for tasks: what `SweEnv(open_workspace=...)` takes, guards on."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ConfigError
from ...guards.preparation import Guards, preparation
from ...tasks import Task
from ..protocol import WorkspaceLimits
from .pool import WarmPool
from .spec import ContainerSpec
from .workspace import DockerWorkspace

KEPT_WITHOUT_GUARD = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "KILL")
"""Capabilities of a container when that guard is off. KILL: the agent must be able to end other users' processes."""


def spec_of(
    task: Task,
    *,
    guards: Guards | None = None,
    limits: WorkspaceLimits | None = None,
    env: tuple[tuple[str, str], ...] = (),
    session: bool = True,
    run: str = "",
) -> ContainerSpec:
    """The container that a task wants; tasks of one image and base commit share it. Raises ConfigError."""
    if not task.image:
        raise ConfigError(f"task {task.id} names no image: build one for it (srl-swe images) or step it locally")
    on = guards or Guards()
    return ContainerSpec(
        image=task.image,
        workdir=task.workdir,
        env=env,
        limits=limits or WorkspaceLimits(),
        session=session,
        prepare=preparation(task, on),
        network=not on.network,
        capabilities=() if on.capabilities else KEPT_WITHOUT_GUARD,
        run=run,
    )


def docker_opener(
    *,
    pool: WarmPool | None = None,
    guards: Guards | None = None,
    limits: WorkspaceLimits | None = None,
    env: tuple[tuple[str, str], ...] = (),
    session: bool = True,
    run: str = "",
) -> Callable[[Task], DockerWorkspace]:
    """A function that opens a task's workspace in a container, from `pool` when one is given."""

    def open_docker(task: Task) -> DockerWorkspace:
        spec = spec_of(task, guards=guards, limits=limits, env=env, session=session, run=run)
        return DockerWorkspace(spec, source=pool)

    return open_docker

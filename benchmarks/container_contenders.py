"""Contenders that run in containers: ours, the Docker SDK's plain `exec_run`, mini-swe-agent's and SWE-ReX.

The other projects' packages are needed only when they are measured: run the benchmark with the Python of a virtual
environment that holds `mini-swe-agent`, `swe-rex`, `docker`, `gymnasium` and `numpy`. What is not installed is skipped
with a note. All of them use one image: the base image with the example repository at /testbed and, for SWE-ReX, the
server it starts inside (copied from the same virtual environment).
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender, OurStarted, Source
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace, WarmPool, engine_problem
from srl_swe_envs.workspaces.docker.container import remove_image
from srl_swe_envs.workspaces.docker.images import image_with_folder

BASE_IMAGE = os.environ.get("SRL_SWE_BASE_IMAGE", "srl-swe/base:bookworm")
SWEREX_FOLDER = "/opt/swerex"
_SWEREX_SERVER = f'#!/bin/sh\nPYTHONPATH={SWEREX_FOLDER} exec python3 -m swerex.server "$@"\n'
_TIMEOUT_S = 60.0
READY = 3


def docker(source: Source, stack: ExitStack) -> Contender:
    """Our containers, made when they are asked for."""
    spec = ContainerSpec(image=source.image, limits=source.limits)
    return Contender(name="docker", start=lambda: OurStarted(workspace=DockerWorkspace(spec)), states=True)


def docker_pool(source: Source, stack: ExitStack) -> Contender:
    """Our containers from a warm pool."""
    spec = ContainerSpec(image=source.image, limits=source.limits)
    pool = stack.enter_context(WarmPool(ready_per_spec=READY, workers=2))
    pool.expect(spec)

    def start() -> OurStarted:
        return OurStarted(workspace=DockerWorkspace(spec, source=pool))

    def settle() -> None:
        while pool.ready(spec) < READY:
            time.sleep(0.01)

    return Contender(name="docker_pool", start=start, states=True, settle=settle)


class ExecRun:
    """A sleeping container and the SDK's `exec_run`."""

    def __init__(self, source: Source) -> None:
        import docker as sdk

        self._client = sdk.from_env()
        self._container = self._client.containers.run(
            source.image, ["sleep", "7200"], detach=True, auto_remove=True, working_dir="/testbed"
        )

    def run(self, command: str, timeout_s: float) -> object:
        return self._container.exec_run(["bash", "-c", command])

    def close(self) -> None:
        self._container.remove(force=True)
        self._client.close()


class Mini:
    """mini-swe-agent's DockerEnvironment with its own settings, but for the limits that protect this machine."""

    def __init__(self, source: Source) -> None:
        from minisweagent.environments.docker import DockerEnvironment

        arguments = ["--rm", *_protection(source)]
        self._environment: Any = DockerEnvironment(image=source.image, cwd="/testbed", run_args=arguments)

    def run(self, command: str, timeout_s: float) -> object:
        return self._environment.execute({"command": command}, timeout=max(round(timeout_s), 1))

    def close(self) -> None:
        # its own `cleanup` is a `docker stop` in the background, which takes ten seconds
        container, self._environment.container_id = self._environment.container_id, None
        subprocess.run(["docker", "rm", "-f", container], check=True, capture_output=True)


class SweRex:
    """A bash session of SWE-ReX, as SWE-agent uses it, but for the limits that protect this machine."""

    def __init__(self, source: Source) -> None:
        from swerex.deployment.docker import DockerDeployment
        from swerex.runtime.abstract import CreateBashSessionRequest

        self._loop = asyncio.new_event_loop()
        self._deployment: Any = DockerDeployment(image=source.image, pull="never", docker_args=_protection(source))
        self._loop.run_until_complete(self._deployment.start())
        self._loop.run_until_complete(self._deployment.runtime.create_session(CreateBashSessionRequest()))
        self.run("cd /testbed", _TIMEOUT_S)

    def run(self, command: str, timeout_s: float) -> object:
        from swerex.runtime.abstract import BashAction

        action = BashAction(command=command, timeout=timeout_s, check="silent")
        return self._loop.run_until_complete(self._deployment.runtime.run_in_session(action))

    def close(self) -> None:
        self._loop.run_until_complete(self._deployment.stop())
        self._loop.close()


def _protection(source: Source) -> list[str]:
    """A fork bomb or a memory hog in a container without limits takes the machine along."""
    return ["--pids-limit", str(source.limits.pids), "--memory", str(source.limits.memory_bytes)]


def _of(name: str, kind: Callable[[Source], Any]) -> Callable[[Source, ExitStack], Contender]:
    return lambda source, stack: Contender(name=name, start=lambda: kind(source))


CONTAINER_CONTENDERS: Mapping[str, Callable[[Source, ExitStack], Contender]] = {
    "docker": docker,
    "docker_pool": docker_pool,
    "exec_run": _of("exec_run", ExecRun),
    "mini": _of("mini", Mini),
    "swerex": _of("swerex", SweRex),
}
_NEEDS = {"mini": "minisweagent", "swerex": "swerex"}


def missing(name: str) -> str:
    """Why a contender can't be measured here; empty when it can."""
    if name in CONTAINER_CONTENDERS and (problem := engine_problem()):
        return problem
    module = _NEEDS.get(name, "")
    return f"{module} is not installed" if module and importlib.util.find_spec(module) is None else ""


@contextmanager
def example_image(repository: Path) -> Iterator[str]:
    """The image that all container contenders use."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        image = image_with_folder(BASE_IMAGE, repository)
        stack.callback(remove_image, image)
        if not missing("swerex"):
            image = _with_swerex(image, Path(folder), stack)
        yield image


def _with_swerex(image: str, folder: Path, stack: ExitStack) -> str:
    """The image with SWE-ReX's server on its search path; nothing needs to be downloaded."""
    for name in ("bin", "packages"):
        (folder / name).mkdir()
    server = folder / "bin" / "swerex-remote"
    server.write_text(_SWEREX_SERVER)
    server.chmod(0o755)
    for distribution in _requirements("swe-rex"):
        _copy_distribution(distribution, folder / "packages")
    for source, target in ((folder / "bin", "/usr/local/bin"), (folder / "packages", SWEREX_FOLDER)):
        image = image_with_folder(image, source, workdir=target)
        stack.callback(remove_image, image)
    return image


def _requirements(name: str) -> dict[str, None]:
    """An installed distribution and all that it needs, by name."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        name = re.split(r"[^A-Za-z0-9._-]", waiting.pop().strip(), maxsplit=1)[0].lower().replace("_", "-")
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another platform or Python
            continue
        found[name] = None
        waiting += [need for need in needs if "extra ==" not in need]
    return found


def _copy_distribution(name: str, target: Path) -> None:
    for file in importlib.metadata.files(name) or []:
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.suffix != ".pyc" and source.is_file():
            place = target / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)

"""One step of an image: a container of the parent image, some files, one script, and a commit."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.workspaces.docker.engine import connect, engine_errors, thread_client
from srl_swe_envs.workspaces.leases import Owner

if TYPE_CHECKING:
    from docker import APIClient

LABEL_BUILDING = "srl-swe.building"
LABEL_RECIPE = "srl-swe.recipe"
_SCRIPT_FOLDER = ".srl-swe-build"
_CERTIFICATES = "/etc/ssl/certs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one container does on the way to an image."""

    parent: str
    script: str
    """Bash, run as root with `set -euo pipefail`."""
    image: str
    """Name and tag of the result."""
    recipe: str
    """Hash of all that went into it, kept as a label."""
    changes: tuple[str, ...] = ()
    """Dockerfile instructions for the image's configuration, e.g. `ENV A=b`."""
    folder: tuple[Path, str] | None = None
    """A folder of this machine and where it goes."""
    network: bool = False
    """pip needs it; the host's certificates are mounted and its proxies and index are passed on."""
    timeout_s: float = 3600.0


def image_recipe(image: str) -> str | None:
    """The recipe hash that an image was made by: None when there is no such image, empty when it says nothing."""
    import docker.errors

    with engine_errors(f"looking for image {image}"):
        try:
            found = thread_client().api.inspect_image(image)
        except docker.errors.ImageNotFound:
            return None
    return str(((found.get("Config") or {}).get("Labels") or {}).get(LABEL_RECIPE, ""))


def build(step: Step, log: Path) -> None:
    """Run the step and tag its result.

    Raises ConfigError with the end of the output when the script failed (the specification or the network is at
    fault) and WorkspaceError when the engine failed. Output is kept in `log`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(connect()) as client, _container(step) as container:
        api = client.api
        api.timeout = step.timeout_s  # a busy disk takes its time over a commit
        with engine_errors(f"building {step.image}"):
            if step.folder is not None:
                _put_folder(api, container, *step.folder)
            api.put_archive(container, "/", _script_archive(step.script))
            api.start(container)
            killer = threading.Timer(step.timeout_s, _kill, [container])
            killer.daemon = True
            killer.start()
            try:
                with log.open("wb") as file:
                    for chunk in api.logs(container, stream=True, follow=True):
                        file.write(chunk)
                status = int(api.wait(container)["StatusCode"])
            finally:
                killer.cancel()
        if status != 0:
            end = log.read_text(encoding="utf-8", errors="replace")[-800:].strip()
            raise ConfigError(f"building {step.image} failed with status {status} (log: {log}): {end}")
        with engine_errors(f"committing {step.image}"):
            repository, _, tag = step.image.rpartition(":")
            changes = [*step.changes, f"LABEL {LABEL_RECIPE}={step.recipe}", 'CMD ["/bin/bash"]']
            api.commit(container, repository=repository, tag=tag, changes=changes)


def remove_abandoned_builds() -> None:
    """Remove build containers whose process was killed; they carry no lease, because an image would inherit it."""
    api = thread_client().api
    with engine_errors("looking for abandoned builds"):
        found = api.containers(all=True, filters={"label": LABEL_BUILDING})
    for container in found:
        with contextlib.suppress(ValueError):
            if Owner.parse(container["Labels"][LABEL_BUILDING]).state() == "dead":
                _remove(container["Id"])


@contextlib.contextmanager
def _container(step: Step) -> Iterator[str]:
    import docker.errors

    api = thread_client().api
    with engine_errors(f"making a container of {step.parent}"):
        binds = [f"{_CERTIFICATES}:{_CERTIFICATES}:ro"] if step.network and os.path.isdir(_CERTIFICATES) else []
        host_config = api.create_host_config(binds=binds, network_mode="default" if step.network else "none")
        # As the command, not the entry point: a commit can replace the first but not empty the second.
        command = ["/bin/bash", f"/{_SCRIPT_FOLDER}/build.sh"]
        try:
            made = api.create_container(
                step.parent, command=command, user="0:0", working_dir="/",
                labels={LABEL_BUILDING: str(Owner.current())}, host_config=host_config,
            )  # fmt: skip
        except docker.errors.ImageNotFound as error:
            hint = "; containers/engine.sh base makes srl-swe/base:bookworm" if "base" in step.parent else ""
            raise ConfigError(f"image {step.parent} is not on this machine{hint}") from error
    try:
        yield str(made["Id"])
    finally:
        with contextlib.suppress(WorkspaceError):
            _remove(made["Id"])


def _script_archive(script: str) -> bytes:
    """A tar with the script; the function keeps bash from reading a file that it has deleted."""
    exports = "".join(f"export {name}={_quoted(value)}\n" for name, value in _passed_on().items())
    text = (
        f"set -euo pipefail\nbuild() {{\nrm -rf /{_SCRIPT_FOLDER}\n{exports}{script}\n}}\n"
        "build </dev/null 2>&1\nexit $?\n"
    )
    data = text.encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(f"{_SCRIPT_FOLDER}/build.sh")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _passed_on() -> dict[str, str]:
    """How pip reaches its index from here; a file system path of this machine would mean nothing inside."""
    names = ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    settings = {name: os.environ[name] for name in names if os.environ.get(name)}
    bundle = f"{_CERTIFICATES}/ca-certificates.crt"
    if os.path.exists(bundle):
        settings |= {"PIP_CERT": bundle, "SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle}
    return settings


def _put_folder(api: APIClient, container: str, folder: Path, place: str) -> None:
    """Copy a folder's contents to an absolute path of a container, owned by root."""
    import tempfile

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(folder, arcname=place.strip("/"), filter=owned_by_root)
        file.seek(0)
        api.put_archive(container, "/", file)


def _kill(container: str) -> None:
    from docker.errors import APIError

    with contextlib.suppress(APIError, WorkspaceError):
        thread_client().api.kill(container)


def _remove(container: Any) -> None:
    import docker.errors

    with engine_errors(f"removing container {container[:12]}"), contextlib.suppress(docker.errors.NotFound):
        thread_client().api.remove_container(container, force=True, v=True)


def _quoted(value: str) -> str:
    import shlex

    return shlex.quote(value)

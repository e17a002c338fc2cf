"""Images made from a base image and a folder of this machine, for tasks that come as files."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import IO

from ...errors import ConfigError
from ..leases import Lease
from .engine import engine_errors, thread_client


def image_with_folder(base: str, folder: Path, *, workdir: str = "/testbed", run: str = "") -> str:
    """The id of a new image: `base` with the contents of `folder` at `workdir`, owned by root.

    The image carries this process's lease, so the reaper removes it some time after the process has ended; remove it
    earlier with `container.remove_image`. Raises ConfigError for a folder that is not there, WorkspaceError when the
    engine fails.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a directory: give the folder with the task's files")
    with tempfile.TemporaryFile() as archive, engine_errors(f"making an image of {folder}"):
        _pack(folder, workdir, archive)
        api = thread_client().api
        labels = Lease.take(run=run).labels()
        made = api.create_container(base, ["true"], labels=labels, network_disabled=True)["Id"]
        try:
            api.put_archive(made, "/", archive)
            return str(api.commit(made)["Id"])
        finally:
            api.remove_container(made, force=True, v=True)


def _pack(folder: Path, workdir: str, archive: IO[bytes]) -> None:
    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder, arcname=workdir.strip("/"), filter=as_root)
    archive.seek(0)

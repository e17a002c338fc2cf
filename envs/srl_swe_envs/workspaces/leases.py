"""Who made a container, a volume, an image or a directory, for which run, and until when it may stay.

Everything that outlives a Python object carries a `Lease`: containers, volumes and snapshot images as labels,
directories (sockets, overlays, checkouts) as a `lease.json` inside. A killed run cannot clean up after itself; the
reaper (`workspaces.reaper.reap`) removes what its lease gives away:

* the owner is dead (its process has ended, or the machine was booted again): the thing is removed;
* the owner is alive here: it stays, whatever its expiry says, so that concurrent runs never reap each other;
* the owner can't be looked up from here (another machine or another pid namespace uses the same engine): it stays
  until its lease expires.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import WorkspaceError

LABEL_OWNER = "srl-swe.owner"
LABEL_RUN = "srl-swe.run"
LABEL_EXPIRES = "srl-swe.expires"
LEASE_FILE = "lease.json"
CACHE_PREFIX = "cache-"
"""Directories of the lease root that belong to no run and that the reaper leaves alone."""
MAKING_PREFIX = "making-"
"""Directories whose lease is not written yet; their name goes on with their owner."""
DEFAULT_LEASE_S = 24 * 3600.0

OwnerState = Literal["alive", "dead", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, named so that its number being used again can't be mistaken for it."""

    boot_id: str
    pid_namespace: int
    pid: int
    start_ticks: int
    """When the process started, in clock ticks since boot (field 22 of `/proc/PID/stat`)."""

    @classmethod
    def current(cls) -> Owner:
        """This process. Asked for at every use, because a forked child is an owner of its own."""
        return cls(
            boot_id=_boot_id(),
            pid_namespace=_pid_namespace(),
            pid=os.getpid(),
            start_ticks=_start_ticks(os.getpid()) or 0,
        )

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Inverse of `str(owner)`; raises ValueError when it is not one."""
        boot_id, pid_namespace, pid, start_ticks = text.split(":")
        return cls(boot_id=boot_id, pid_namespace=int(pid_namespace), pid=int(pid), start_ticks=int(start_ticks))

    def __str__(self) -> str:
        return f"{self.boot_id}:{self.pid_namespace}:{self.pid}:{self.start_ticks}"

    def state(self) -> OwnerState:
        """Whether the process lives, as far as this process can see."""
        if self.boot_id != _boot_id() or self.pid_namespace != _pid_namespace():
            return "elsewhere"
        return "alive" if _start_ticks(self.pid) == self.start_ticks else "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Owner, run and expiry of one thing."""

    owner: Owner
    run: str
    """Free text that tells a person whose it is, e.g. the run folder's name."""
    expires_at: int
    """Unix time in seconds."""

    @classmethod
    def take(cls, *, run: str = "", lease_s: float = DEFAULT_LEASE_S) -> Lease:
        """A lease of this process from now on."""
        return cls(owner=Owner.current(), run=run, expires_at=int(time.time() + lease_s))

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Lease:
        """The lease that `labels()` wrote; raises KeyError or ValueError when there is none."""
        return cls(
            owner=Owner.parse(labels[LABEL_OWNER]),
            run=labels.get(LABEL_RUN, ""),
            expires_at=int(labels[LABEL_EXPIRES]),
        )

    def labels(self) -> dict[str, str]:
        """The lease as labels of a container, volume or image."""
        return {LABEL_OWNER: str(self.owner), LABEL_RUN: self.run, LABEL_EXPIRES: str(self.expires_at)}

    def is_over(self, *, now: float | None = None) -> bool:
        """Whether the thing may be removed by anybody."""
        match self.owner.state():
            case "alive":
                return False
            case "dead":
                return True
            case "elsewhere":
                return (time.time() if now is None else now) >= self.expires_at


@contextlib.contextmanager
def leased_directory(kind: str, *, run: str = "", lease_s: float = DEFAULT_LEASE_S) -> Iterator[Path]:
    """A fresh directory with a lease, removed at the end; its name begins with `kind`.

    The path is short enough for a unix socket inside (108 bytes at most). The reaper unmounts what is mounted
    below such a directory before it removes it.
    """
    path = make_leased_directory(kind, run=run, lease_s=lease_s)
    try:
        yield path
    finally:
        remove_leased_directory(path)


def make_leased_directory(kind: str, *, run: str = "", lease_s: float = DEFAULT_LEASE_S) -> Path:
    """A fresh directory with a lease, for owners that remove it themselves (or leave it to the reaper)."""
    lease = Lease.take(run=run, lease_s=lease_s)
    making = Path(tempfile.mkdtemp(prefix=f"{MAKING_PREFIX}{lease.owner}-", dir=lease_root()))
    making.chmod(0o755)  # a container's root without capabilities is not this user
    (making / LEASE_FILE).write_text(json.dumps(lease.labels()), encoding="ascii")
    return making.rename(making.with_name(f"{kind}-{_random_part(making)}"))


def remove_leased_directory(path: Path) -> None:
    """Remove a leased directory, its lease last: what a kill or a mount leaves of it is still the reaper's."""
    with contextlib.suppress(OSError):
        for inside in path.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            elif inside.name != LEASE_FILE:
                inside.unlink(missing_ok=True)
        if {inside.name for inside in path.iterdir()} <= {LEASE_FILE}:
            shutil.rmtree(path, ignore_errors=True)


def lease_root() -> Path:
    """The directory of this user's leased directories; made when absent.

    Raises WorkspaceError when somebody else owns it: its place in the shared temporary folder is guessable.
    """
    parent = Path(tempfile.gettempdir())
    root = parent / f"srl-swe-{os.getuid()}"
    if len(str(root)) > 60:  # a socket's path must stay under 108 bytes
        root = Path("/tmp") / root.name
    root.mkdir(mode=0o700, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise WorkspaceError(f"{root} belongs to somebody else; remove it or set TMPDIR")
    return root


def read_lease(path: Path) -> Lease | None:
    """The lease of a leased directory; None when it has none or it can't be read."""
    try:
        return Lease.from_labels(json.loads((path / LEASE_FILE).read_text(encoding="ascii")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def maker_of(path: Path) -> Owner | None:
    """Who is making a leased directory that has no lease yet; None when it is not one in the making."""
    try:
        return Owner.parse(path.name.removeprefix(MAKING_PREFIX).removesuffix(f"-{_random_part(path)}"))
    except ValueError:
        return None


def _random_part(path: Path) -> str:
    return path.name.rpartition("-")[2]


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux: only expiry can tell
        return "unknown"


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _start_ticks(pid: int) -> int | None:
    """When a process started; None when it has ended (a zombie has)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold blanks and brackets
    return None if fields[0] in "ZX" else int(fields[19])

"""The file tree of a sandbox: overlays over the host's directories, a fresh /proc and /dev, nothing else.

Runs in the sandbox's first process, in its own mount namespace, so that nothing of it outlives the sandbox.
"""

from __future__ import annotations

import os

from . import syscalls as sys_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import Spec

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEV_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
# as docker masks them for a container without privileges
_HIDDEN = (
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def layer(generation: int, index: int) -> str:
    """Where generation `generation` keeps what was written to mount `index`, below the launcher's base."""
    return f"g{generation}/{index}/u"


def require_attributes(folder: str) -> None:
    """Overlays of an ordinary user mark removed folders with these."""
    try:
        os.setxattr(folder, "user.overlay.probe", b"y")
    except OSError:
        raise OSError("tmpfs takes no extended attributes from ordinary users before Linux 6.6") from None


def prepare_generation(base: str, generation: int, spec: Spec) -> None:
    """In the launcher: the empty upper directories of a new generation, on a tmpfs that is its disk quota."""
    top = f"{base}/g{generation}"
    os.mkdir(top)
    blocks = spec["disk_bytes"] // 4096  # an empty file takes memory too, which no size would count
    size = f"size={spec['disk_bytes']},nr_inodes={blocks + 1000}," if spec["disk_bytes"] else ""
    sys_.mount("tmpfs", top, "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, f"{size}mode=0755")
    for index, (source, _) in enumerate(spec["trees"]):
        os.makedirs(f"{top}/{index}/w")
        upper = f"{base}/{layer(generation, index)}"
        os.mkdir(upper)
        original = os.stat(os.path.join(base, source))
        try:  # noqa: SIM105  (contextlib would take milliseconds of the start)
            os.chown(upper, original.st_uid, original.st_gid)
        except OSError:
            pass  # an owner that this user namespace does not know; root inside owns it then
        os.chmod(upper, original.st_mode & 0o7777)


def build(base: str, generation: int, layers: tuple[int, ...], spec: Spec) -> None:
    """In the sandbox's first process: mount everything and make it the root."""
    os.chdir(base)
    root = f"{base}/g{generation}/root"
    os.mkdir(root)
    for index, (source, inside) in enumerate(spec["trees"]):
        target = root + inside
        os.makedirs(target, exist_ok=True)
        _overlay(source, target, generation, index, layers, spec)
    for inside in ("/proc", "/dev", "/sys", "/tmp"):
        os.makedirs(root + inside, exist_ok=True)
    _fill_dev(root + "/dev", spec)
    sys_.mount("proc", root + "/proc", "proc", sys_.MS_NOSUID | sys_.MS_NODEV | sys_.MS_NOEXEC)
    sys_.pivot_root(root)
    _restrict_proc()


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _overlay(source: str, target: str, generation: int, index: int, layers: tuple[int, ...], spec: Spec) -> None:
    lower = ":".join([*(layer(old, index) for old in layers), _escape(source)])
    options = f"lowerdir={lower},upperdir={layer(generation, index)},workdir=g{generation}/{index}/w"
    # A folder of the lower layer can be renamed with redirects alone, which an ordinary user is not allowed.
    options += ",index=off,metacopy=off,"
    options += "userxattr" if spec["user_namespace_first"] else "redirect_dir=on"
    if len(options) > 4000:
        raise OSError(7, "too many snapshots on top of each other for one mount")
    sys_.mount("overlay", target, "overlay", sys_.MS_NOSUID | sys_.MS_NODEV, options)


def _fill_dev(dev: str, spec: Spec) -> None:
    flags = sys_.MS_NOSUID | sys_.MS_NOEXEC
    sys_.mount("tmpfs", dev, "tmpfs", flags, f"size={spec['shm_bytes']},mode=0755")
    for name in _DEVICES:
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        sys_.mount(f"/dev/{name}", f"{dev}/{name}", flags=sys_.MS_BIND)
    for name, target in _DEV_LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    os.mkdir(f"{dev}/shm")
    os.chmod(f"{dev}/shm", 0o1777)
    os.mkdir(f"{dev}/pts")
    sys_.mount("devpts", f"{dev}/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")
    os.symlink("pts/ptmx", f"{dev}/ptmx")


def _restrict_proc() -> None:
    for path in _HIDDEN:
        if os.path.isdir(path):
            sys_.mount("tmpfs", path, "tmpfs", sys_.MS_RDONLY, "size=0")
        elif os.path.exists(path):
            sys_.mount("/dev/null", path, flags=sys_.MS_BIND)
    for path in _READ_ONLY:
        if os.path.exists(path):
            sys_.mount(path, path, flags=sys_.MS_BIND | sys_.MS_REC)
            locked = sys_.MS_NOSUID | sys_.MS_NODEV | sys_.MS_NOEXEC
            sys_.mount("", path, flags=sys_.MS_BIND | sys_.MS_REMOUNT | sys_.MS_RDONLY | locked)

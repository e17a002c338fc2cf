"""What a sandbox on the host's own files sees of them: programs and libraries, no home, no secret, no other project.

The list is one of what is shown, not of what is hidden: `/usr`, the running interpreter, and a small made-up `/etc`.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# configuration that programs need and that holds no secret
_ETC_FILES = (
    "/etc/debian_version",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/timezone",
)
_ETC_LINKS = "/etc/alternatives"
_ETC_MADE = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/services": "",
    "/etc/protocols": "tcp 6 TCP\nudp 17 UDP\n",
}
FOLDERS = (
    ("/etc", 0o755),
    ("/etc/alternatives", 0o755),
    ("/etc/ssl/certs", 0o755),
    ("/root", 0o700),
    ("/home", 0o755),
    ("/tmp", 0o1777),
    ("/var/tmp", 0o1777),
    ("/var/log", 0o755),
    ("/var/lib", 0o755),
    ("/run", 0o755),
    ("/opt", 0o755),
    ("/srv", 0o755),
    ("/mnt", 0o755),
    ("/sys", 0o555),
    ("/proc", 0o555),
    ("/dev", 0o755),
)


def interpreter_folders() -> tuple[Path, ...]:
    """Where the running Python and its packages live."""
    return tuple(dict.fromkeys(Path(prefix) for prefix in (sys.base_prefix, sys.prefix)))


def search_path() -> str:
    """A PATH that finds the running interpreter first."""
    own = tuple(str(folder / "bin") for folder in reversed(interpreter_folders()))
    usual = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    return ":".join(dict.fromkeys((*own, *usual)))


def host_trees(expose: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    """(directory, path inside) of what is shown of the host; `expose` adds to it, at the same path."""
    shown = [path for path in _SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
    for folder in expose:
        path = os.path.abspath(folder)
        if not any(Path(path).is_relative_to(known) for known in shown):
            shown.append(path)
    return tuple((path, path) for path in shown)


@functools.cache
def host_links() -> tuple[tuple[str, str], ...]:
    """(path, target) of the links that lead into what is shown: `/bin` -> `usr/bin`, `/etc/alternatives/*`."""
    candidates = list(_SYSTEM)
    if os.path.isdir(_ETC_LINKS):
        candidates += [f"{_ETC_LINKS}/{name}" for name in sorted(os.listdir(_ETC_LINKS))]
    return tuple((path, os.readlink(path)) for path in candidates if os.path.islink(path))


def etc_files() -> tuple[tuple[str, str, int], ...]:
    """(path, contents, mode) of the made-up part of `/etc`."""
    return tuple((path, content, 0o644) for path, content in _ETC_MADE.items())


@functools.cache
def etc_copies() -> tuple[tuple[str, str], ...]:
    """(file, path inside) of the part of `/etc` that is the host's own."""
    return tuple((path, path) for path in _ETC_FILES if os.path.isfile(path))

"""One process at a time in a folder that it writes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

from srl_swe_envs.errors import ConfigError

LOCK = "lock"
"""The file whose lock is held; it stays, and means nothing by itself."""
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def alone_in(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes out of a folder that exists; `what` names who uses it.

    The kernel drops the lock with the process that holds it, however that ends. A file system without locks keeps
    nobody out. Raises ConfigError when another process is inside.
    """
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{folder} is in use by another {what}; wait for it or give another --out") from error
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
        yield

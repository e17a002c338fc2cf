"""Reading and writing one file of a workspace without ever waiting for it."""

import errno
import os
import stat


def read(path: bytes, max_bytes: int) -> bytes:
    """Contents of a regular file of at most `max_bytes`. Raises OSError."""
    fd = _open_regular(path, os.O_RDONLY)
    parts: list[bytes] = []
    with os.fdopen(fd, "rb", buffering=0) as file:
        while max_bytes >= 0:
            part = file.read(min(max_bytes + 1, 1 << 20))
            if not part:
                return b"".join(parts)
            parts.append(part)
            max_bytes -= len(part)
    raise OSError(errno.EFBIG, "File too large to be read")


def write(path: bytes, content: bytes, mode: int) -> None:
    """Make or replace a regular file (`mode` for a new one), and the folders it needs. Raises OSError."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = _open_regular(path, os.O_WRONLY | os.O_CREAT, mode)
    with os.fdopen(fd, "wb", buffering=0) as file:
        file.truncate(0)
        view = memoryview(content)
        while view:
            view = view[file.write(view) :]


def _open_regular(path: bytes, flags: int, mode: int = 0o644) -> int:
    # A pipe or a device would let the agent wait for ever.
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, mode)
    kind = os.fstat(fd).st_mode
    if stat.S_ISREG(kind):
        return fd
    os.close(fd)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    raise OSError(errno.EINVAL, "Not a regular file")

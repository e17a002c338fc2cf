"""The few things an editor needs from a file system, so that it works on a workspace and in memory alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Protocol


class Files(Protocol):
    """Files by absolute POSIX path. Whatever is refused (permissions, a full disk) is an OSError."""

    def read(self, path: str) -> bytes:
        """The file's bytes; raises FileNotFoundError or IsADirectoryError."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Make or overwrite a file; raises FileNotFoundError when its folder does not exist."""
        ...

    def entries(self, path: str, *, depth: int) -> tuple[str, ...]:
        """A directory's visible entries down to `depth` levels, itself first, as absolute paths in sorted order."""
        ...


class MemoryFiles:
    """Files held in a dictionary; a folder exists as long as something is in it (and `/` always)."""

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._data = {path: text.encode("utf-8", "surrogatepass") for path, text in (texts or {}).items()}

    def texts(self) -> dict[str, str]:
        """Every file's text."""
        return {path: data.decode("utf-8", "replace") for path, data in self._data.items()}

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        if path in self._data:
            return self._data[path]
        if self._is_folder(path):
            raise IsADirectoryError(path)
        raise FileNotFoundError(path)

    def write(self, path: str, data: bytes) -> None:
        """See `Files.write`."""
        if self._is_folder(path):
            raise IsADirectoryError(path)
        if not self._is_folder(str(PurePosixPath(path).parent)):
            raise FileNotFoundError(path)
        self._data[path] = data

    def entries(self, path: str, *, depth: int) -> tuple[str, ...]:
        """See `Files.entries`."""
        found = {path}
        for name in self._data:
            if name.startswith(path.rstrip("/") + "/"):
                parts = PurePosixPath(name).relative_to(path).parts[:depth]
                if not any(part.startswith(".") for part in parts):
                    found.update(str(PurePosixPath(path, *parts[:count])) for count in range(1, len(parts) + 1))
        return tuple(sorted(found))

    def _is_folder(self, path: str) -> bool:
        return path == "/" or any(name.startswith(path.rstrip("/") + "/") for name in self._data)

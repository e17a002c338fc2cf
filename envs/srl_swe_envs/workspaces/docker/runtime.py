"""A Python for the guest agent that needs nothing of the task's image.

Images come with any Python or none, and a command may delete it. So the agent runs on this machine's own interpreter:
the binary, its loader, its shared libraries, the few standard-library modules that the agent imports and the agent
itself (2 to 30 MB) are copied once into a folder that is mounted read-only into every container, and the loader is
called by name. That works on images with another C library and on images with nothing but a shell. It needs the
container's machine to be this machine (as the unix socket does) and of the same architecture.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ...errors import WorkspaceError
from ..leases import CACHE_PREFIX, lease_root

GUEST_PACKAGE = Path(__file__).parents[1] / "guest"

_LIST_FILES = """
import sys
sys.path.insert(0, sys.argv[1])
import ctypes, guest.agent
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None)
    if path:
        print(path)
"""
_FLAGS = ("-E", "-s", "-S", "-B")


def guest_python() -> Path:
    """The folder to mount; made on first use on this machine, then found again.

    Raises WorkspaceError when this interpreter can't be packed (no `ldd`, a platform other than Linux).
    """
    folder = lease_root() / f"{CACHE_PREFIX}python-{_fingerprint()}"
    if folder.is_dir():
        return folder
    fresh = Path(tempfile.mkdtemp(prefix="new-python-", dir=lease_root()))
    try:
        _pack(fresh)
        fresh.chmod(0o755)
        fresh.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process has just made it
            raise WorkspaceError(f"can't pack this Python for the guest agent: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def agent_command(python_mount: str, socket_path: str) -> tuple[str, ...]:
    """The arguments that start the agent on a packed Python mounted at `python_mount`."""
    python = f"{python_mount}/bin/python3"
    loader = (f"{python_mount}/ld.so", "--library-path", f"{python_mount}/lib", python)
    return (*loader, *_FLAGS, "-c", "from guest.agent import main; main()", socket_path)


def _fingerprint() -> str:
    executable = Path(sys.executable).resolve()
    sources = sorted(GUEST_PACKAGE.glob("*.py"))
    stamps = [f"{path}:{path.stat().st_mtime_ns}" for path in (executable, *sources)]
    return hashlib.sha256(f"{sys.version}\n{stamps}".encode()).hexdigest()[:16]


def _pack(folder: Path) -> None:
    executable = Path(sys.executable).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    stdlib = Path(os.__file__).parent
    (folder / "bin").mkdir()
    (folder / "lib" / version / "lib-dynload").mkdir(parents=True)
    shutil.copy2(executable, folder / "bin" / "python3")
    natives = [executable]
    for source in _imported_files(executable):
        if not source.is_relative_to(stdlib):
            continue
        _copy_module(source, stdlib, folder / "lib" / version)
        if source.suffix == ".so":
            natives.append(source)
    shutil.copytree(stdlib / "encodings", folder / "lib" / version / "encodings", dirs_exist_ok=True)
    guest = folder / "lib" / version / "guest"
    shutil.copytree(GUEST_PACKAGE, guest, ignore=shutil.ignore_patterns("__pycache__", "client.py"))
    compileall.compile_dir(guest, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    libraries, loader = _shared_libraries(natives)
    for library in libraries:
        shutil.copy2(library, folder / "lib" / library.name)
    shutil.copy2(loader, folder / "ld.so")


def _copy_module(source: Path, stdlib: Path, target: Path) -> None:
    """A module with its compiled form, without which every start would compile it again."""
    place = target / source.relative_to(stdlib)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, place)
    compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    if compiled.exists():
        (place.parent / "__pycache__").mkdir(exist_ok=True)
        shutil.copy2(compiled, place.parent / "__pycache__" / compiled.name)


def _imported_files(executable: Path) -> list[Path]:
    command = [str(executable), *_FLAGS, "-c", _LIST_FILES, str(GUEST_PACKAGE.parent)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise WorkspaceError(f"the guest agent can't be imported: {listed.stderr[-500:].strip()}")
    files = [Path(line) for line in listed.stdout.splitlines()]
    return [Path(os.path.realpath(path.parent)) / path.name for path in files] + [Path(os.__file__)]


def _shared_libraries(natives: list[Path]) -> tuple[set[Path], Path]:
    """The shared libraries that some binaries need, and the loader that finds them."""
    try:
        listed = subprocess.run(["ldd", *map(str, natives)], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError as error:
        raise WorkspaceError("can't pack this Python for the guest agent: there is no ldd here") from error
    libraries = {Path(match[1]) for match in re.finditer(r"=> (/\S+) \(", listed)}
    loader = re.search(r"^\s*(?:\S+ => )?(/\S*ld[-.]\S+) \(", listed, re.MULTILINE)
    if loader is None:
        raise WorkspaceError("can't pack this Python for the guest agent: ldd names no loader")
    return libraries - {Path(loader[1])}, Path(loader[1])

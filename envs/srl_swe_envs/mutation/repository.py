"""A repository's files, copies of them, and one commit of a directory whose id depends on its files alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, WorkspaceError

_IGNORED = ("__pycache__", ".git", ".venv", "venv", ".tox", "node_modules", ".pytest_cache", ".ruff_cache", "build")
_DATE = "2024-01-01T12:00:00+00:00"
_IDENTITY = {"NAME": "Demo", "EMAIL": "demo@example.org", "DATE": _DATE}


def repository_files(repository: Path) -> list[str]:
    """Files of the repository: what git knows, or everything that is no build product."""
    if not repository.is_dir():
        raise ConfigError(f"{repository} is not a directory")
    if (repository / ".git").exists():
        listed = subprocess.run(
            ("git", "-C", str(repository), "ls-files", "-z"), capture_output=True, check=True, text=True
        )
        return sorted(path for path in listed.stdout.split("\0") if path and (repository / path).is_file())
    found = (path.relative_to(repository) for path in repository.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part in _IGNORED for part in path.parts))


def copy_files(repository: Path, files: Sequence[str], directory: Path) -> None:
    """Copy files, given relative to the repository, with their modes."""
    for path in files:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / path, directory / path)


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write texts under relative paths, with the modes that git keeps."""
    for path, text in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        target.chmod(0o644)


def commit_all(directory: Path, message: str) -> str:
    """Make `directory` a git repository with one commit of all its files; gives the commit's id.

    No user's or system's git configuration, template or hook has a say in it. Raises WorkspaceError when git fails.
    """
    _git(directory, "init", "--quiet", "--template=", "--initial-branch=main")
    _git(directory, "add", "--all", "--force")
    _git(directory, "commit", "--quiet", "--no-verify", "--message", message)
    return _git(directory, "rev-parse", "HEAD").strip()


def _git(directory: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_DEFAULT_HASH": "sha1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_{name}": value for name, value in _IDENTITY.items()}
    command = ("git", "-c", "core.autocrlf=false", "-c", "core.fileMode=true", *arguments)
    try:
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise WorkspaceError("git is not installed, or the directory is gone") from error
    except subprocess.CalledProcessError as error:
        raise WorkspaceError(f"git {arguments[0]} failed in {directory}: {error.stderr.strip()}") from error
    return done.stdout

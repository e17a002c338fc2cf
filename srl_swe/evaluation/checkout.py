"""A repository at a commit without its future: only that commit, its ancestors and their tags are fetched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from srl_swe_envs.errors import ConfigError

# A clone may belong to somebody else, and an upload-pack serves arbitrary commits only when told so.
_QUIET = ("-c", "safe.directory=*", "-c", "core.logAllRefUpdates=false", "-c", "advice.detachedHead=false")
_UPLOAD_PACK = "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack"
_TAGS_AT_ONCE = 500


def checkout(clone: Path, commit: str, target: Path, *, depth: int = 0) -> None:
    """Make `target` a repository whose HEAD is `commit` of the clone (a work tree or a bare git directory).

    `depth` limits how many commits are fetched; 0 fetches all ancestors and the tags on them, from which many
    projects derive their version. Raises ConfigError when the clone lacks the commit.
    """
    if not clone.is_dir():
        raise ConfigError(f"{clone}: no such clone; give a folder made with `git clone` (--clone OWNER/NAME=FOLDER)")
    source = str(clone.resolve())
    if _git(["cat-file", "-e", f"{commit}^{{commit}}"], clone, check=False) is None:
        raise ConfigError(f"{clone}: has no commit {commit}; is it a whole clone of the right repository?")
    target.mkdir(parents=True, exist_ok=True)
    _git(["init", "-q", "-b", "main", "."], target)
    fetch = ["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--upload-pack", _UPLOAD_PACK]
    fetch += ["--depth", str(depth)] if depth else []
    _git([*fetch, source, f"{commit}:refs/heads/main", "--update-head-ok"], target)
    if not depth:
        tags = (_git(["tag", "--merged", commit], clone) or "").split()
        for start in range(0, len(tags), _TAGS_AT_ONCE):
            names = [f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags[start : start + _TAGS_AT_ONCE]]
            _git([*fetch, source, *names], target)
    _git(["reset", "-q", "--hard", "main"], target)
    for leftover in ("ORIG_HEAD", "FETCH_HEAD"):
        (target / ".git" / leftover).unlink(missing_ok=True)


def _git(arguments: list[str], folder: Path, *, check: bool = True) -> str | None:
    """Standard output of a git command; None when it failed and need not succeed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    try:
        done = subprocess.run(
            ["git", *_QUIET, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not installed here") from error
    if done.returncode == 0:
        return done.stdout
    if not check:
        return None
    raise ConfigError(f"git {' '.join(arguments[:2])} in {folder}: {done.stderr.strip()[-500:]}")

"""Whether a model was trained on what it is evaluated on, as far as its run folder tells."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError, SrlSweError

from .items import Item


def contamination(run: Path, items: Sequence[Item]) -> dict[str, Any]:
    """The report's `contamination` entry: evaluated tasks and repositories among the training run's trajectories.

    `run` is the folder that `srl-swe train` made. Raises ConfigError when it is none, or when a log that was trained
    on can't be read any more: a check that saw half of the data proves nothing.
    """
    from ..logs import read_logs

    config = run / "config.toml"
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))
        paths = [_found(path, run) for path in table["data"]["train"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{config}: not the configuration of a training run ({error})") from error
    tasks = {item.task.id for item in items}
    repositories = {item.task.repo for item in items if item.task.repo}
    shared_tasks: set[str] = set()
    shared_repositories: set[str] = set()
    count = 0
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{config}: the training log {path} is not there; run this where the training ran")
    try:
        for trajectory in read_logs(paths):
            count += 1
            shared_tasks |= {trajectory.task.id} & tasks
            shared_repositories |= {trajectory.task.repo} & repositories
    except (SrlSweError, OSError) as error:
        raise ConfigError(f"{config}: its training logs can't be read: {error}") from error
    return {
        "run": str(run),
        "trajectories": count,
        "tasks": sorted(shared_tasks),
        "repositories": sorted(shared_repositories),
    }


def _found(path: str, run: Path) -> Path:
    """A training log, whose path the configuration gives relative to its own first place."""
    candidates = [Path(path), run / path, run.parent / path, run.parent.parent / path]
    return next((candidate for candidate in candidates if candidate.exists()), Path(path))

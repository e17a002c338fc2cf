"""Whether a model was trained on what it is evaluated on, as its run folder tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from .items import Item


def contamination(run: Path, items: Sequence[Item]) -> dict[str, Any]:
    """The report's `contamination` entry: evaluated tasks and repositories among those that the run learned from.

    `run` is the folder that `srl-swe train` made: its `data.json` names those of its trajectories, `N-rlvr/tasks.json`
    those of its episodes. Raises ConfigError when they don't.
    """
    path = run / "data.json"
    try:
        learned = json.loads(path.read_text(encoding="utf-8"))["train"]
        tasks, repositories, used = set(learned["tasks"]), set(learned["repositories"]), int(learned["used"])
        for path in sorted(run.glob("*-rlvr/tasks.json")):
            played = json.loads(path.read_text(encoding="utf-8"))
            tasks |= set(played["tasks"])
            repositories |= set(played["repositories"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: does not say what a training run learned from: {error!r}") from error
    return {
        "run": str(run),
        "trajectories": used,
        "tasks": sorted(tasks & {item.task.id for item in items}),
        "repositories": sorted(repositories & {item.task.repo for item in items if item.task.repo}),
    }

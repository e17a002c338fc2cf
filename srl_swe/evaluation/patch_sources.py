"""Where patches come from that no model writes now: the reference fixes, nothing at all, a predictions file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from srl_swe_envs.errors import ConfigError

from ..rollout import Rollout
from .items import Item


class PatchSource(Protocol):
    """Gives a patch for each task and sample."""

    @property
    def name(self) -> str:
        """A name for reports."""
        ...

    def rollout(self, item: Item, sample: int) -> Rollout:
        """The patch as a rollout; raises WorkspaceError and PolicyError when the infrastructure failed."""
        ...


@dataclass(frozen=True, slots=True)
class Gold:
    """The reference fix of each task."""

    name: str = "gold"

    def rollout(self, item: Item, sample: int) -> Rollout:
        """The task's own fix."""
        return given(item, self.name, item.task.gold_patch)


@dataclass(frozen=True, slots=True)
class Empty:
    """No change."""

    name: str = "empty"

    def rollout(self, item: Item, sample: int) -> Rollout:
        """An empty patch."""
        return given(item, self.name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Patches of a predictions file in swebench's form."""

    name: str
    patches: dict[str, str] = field(repr=False)

    def rollout(self, item: Item, sample: int) -> Rollout:
        """The file's patch; a task that it lacks counts as an empty patch, as on the leaderboard."""
        return given(item, self.name, self.patches.get(item.task.id, ""))


def given(item: Item, name: str, patch: str) -> Rollout:
    """A rollout of no turns."""
    return Rollout(task=item.task.id, policy=name, turns=(), stop="given", patch=patch, duration_s=0.0)


def read_predictions(path: Path) -> Predictions:
    """Predictions from `.jsonl`, or `.json` as a list or an object by task id; raises ConfigError with the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    patches: dict[str, str] = {}
    names: dict[str, None] = {}
    for place, record in _records(path, text):
        if not isinstance(record, dict) or "instance_id" not in record or "model_patch" not in record:
            raise ConfigError(f"{place}: a prediction is an object with instance_id and model_patch")
        task, patch = str(record["instance_id"]), record["model_patch"]
        if patch is not None and not isinstance(patch, str):
            raise ConfigError(f"{place}: model_patch is text or null")
        if task in patches:
            raise ConfigError(f"{place}: a second prediction for {task}; remove one of the two")
        patches[task] = patch or ""
        names[str(record.get("model_name_or_path") or path.stem)] = None
    if not patches:
        raise ConfigError(f"{path}: holds no predictions")
    if len(names) > 1:
        raise ConfigError(f"{path}: predictions of several models ({', '.join(names)}); split the file")
    return Predictions(name=next(iter(names)), patches=patches)


def _records(path: Path, text: str) -> list[tuple[str, Any]]:
    if path.suffix == ".json":
        try:
            whole = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON: {error}") from error
        items = list(whole.values()) if isinstance(whole, dict) else whole
        if not isinstance(items, list):
            raise ConfigError(f"{path}: a list of predictions is expected")
        return [(f"{path}: prediction {number}", item) for number, item in enumerate(items, start=1)]
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append((f"{path}:{number}", json.loads(line)))
            except ValueError as error:
                raise ConfigError(f"{path}:{number}: not JSON: {error}") from error
    return found

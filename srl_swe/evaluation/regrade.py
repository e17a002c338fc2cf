"""Grades stored logs again, offline: after a new swebench, or to see whether the same log still says the same."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from .grading import LOG_NAME, Grade, grade_log, grade_to_json
from .grading_container import GradingRun
from .items import Item
from .run import log_folder, stored_grade, stored_rollout
from .store import Key, RunFolder


def regrade(items: Sequence[Item], folder: RunFolder, samples: int) -> tuple[tuple[Key, Grade, Grade], ...]:
    """Grade every kept log of a row; (key, before, now) of those whose outcome changed. No container is started.

    Demo tasks, empty patches and what was not graded have no log that says it all and stay as they are. The hardened
    outcome is kept.
    """
    changed = []
    for item in items:
        for sample in range(samples):
            key = (item.task.id, sample)
            before, rollout = stored_grade(folder, key), stored_rollout(folder, key)
            logs = log_folder(folder.path, key)
            if item.row is None or before is None or rollout is None or before.outcome in ("empty", "infra"):
                continue
            if not (logs / LOG_NAME).exists():
                continue
            fresh = grade_log(item.row, rollout.patch, logs, _run(logs))
            kept = tuple(note for note in before.notes if note.startswith(("hardened", "no hardened")))
            now = replace(fresh, hardened=before.hardened, notes=(*fresh.notes, *kept), duration_s=before.duration_s)
            if now != before:
                folder.grades.append(key, {**grade_to_json(now), "at": time.time(), "regraded": True})
            if now.outcome != before.outcome:
                changed.append((key, before, now))
    return tuple(changed)


def _run(logs: Path) -> GradingRun:
    """How the container that wrote a log ended."""
    path = logs / "run.json"
    try:
        return GradingRun(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        hint = "remove the task's line from grades.jsonl to redo it"
        raise ConfigError(f"{path}: can't be read ({error}); {hint}") from error

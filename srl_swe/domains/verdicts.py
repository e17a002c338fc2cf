"""What patches are worth: each is judged once, by the task's tests in a fresh workspace, few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from srl_swe_envs.tasks import Task


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """Remembers verdicts, because a group's episodes often leave the same patch. Safe to use from many threads."""

    judge: Callable[[Task, str], bool]
    """Whether a patch resolves a task; raises WorkspaceError."""
    at_once: int = 2
    _slots: threading.Semaphore = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[tuple[str, bytes], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._slots = threading.Semaphore(self.at_once)

    def resolved(self, task: Task, patch: str) -> bool:
        """Whether the patch resolves the task; no patch resolves none. Raises WorkspaceError, which is forgotten."""
        if not patch.strip():
            return False
        key = task.id, sha256(patch.encode("utf-8", "surrogateescape")).digest()
        with self._slots:
            with self._lock:
                if key in self._known:
                    return self._known[key]
            found = self.judge(task, patch)
            with self._lock:
                self._known[key] = found
            return found

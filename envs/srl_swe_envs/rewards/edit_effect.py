"""A scorer for which two edits that do the same to a file are equal, however they are written."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, Create, Insert, Replace, canonical_text
from ..steps import StepInstance
from ..tools.editor import Editor
from ..tools.files import MemoryFiles
from ..tools.recorded_files import files_before
from .scorer import Target, expert_of
from .similarity import similarity_batch

FilesBefore: TypeAlias = Callable[[StepInstance], Mapping[str, str]]

_EDITS = (Create, Replace, Insert)


def recorded_files(step: StepInstance) -> Mapping[str, str]:
    """What the step's history shows of the files, by path (`tools/recorded_files.py`)."""
    return files_before(step.history)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditEffect:
    """Compares the lines that an edit takes away and adds, where the expert edits a file whose text is known.

    `files` says what the files held before a step; the default knows what the trajectory itself shows. Everything
    else is compared as `Characters` does: experts that do not edit, files that are not known, targets without a
    history. An edit that the editor would refuse has no effect, and scores 0 against one that has.
    """

    files: FilesBefore = recorded_files
    name: str = "edit_effect"

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """See `Scorer.similarities`."""
        known: dict[int, Mapping[str, str]] = {}
        pairs = [self._texts(action, target, known) for action, target in zip(actions, targets, strict=True)]
        return similarity_batch([mine for mine, _ in pairs], [theirs for _, theirs in pairs])

    def _texts(self, action: Action, target: Target, known: dict[int, Mapping[str, str]]) -> tuple[str, str]:
        """The two texts to compare: effects if the expert's is known, else canonical texts."""
        expert = expert_of(target)
        if isinstance(target, StepInstance) and isinstance(expert, _EDITS) and isinstance(action, _EDITS):
            if id(target) not in known:
                known[id(target)] = self.files(target)
            theirs = effect(expert, known[id(target)])
            if theirs:
                return effect(action, known[id(target)]), theirs
        return canonical_text(action), canonical_text(expert)


def effect(action: Create | Replace | Insert, files: Mapping[str, str]) -> str:
    """What an edit changes, as its path and the lines it takes away and adds; empty if it is refused or unknown."""
    path = str(PurePosixPath(action.path))
    before = files.get(path)
    beside = {str(PurePosixPath(path).parent / ".folder"): ""}  # the folder of a new file is taken to exist
    memory = MemoryFiles({**beside, **({path: before} if before is not None else {})})
    if Editor(memory).run(action).exit_code != 0:
        return ""
    after = memory.texts()[path]
    lines = difflib.unified_diff((before or "").split("\n"), after.split("\n"), n=0, lineterm="")
    return "\n".join([path, *(line for line in list(lines)[2:])])

"""A scorer that first asks for the same tool, then compares argument by argument."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, OtherCall, kind_of
from .scorer import Target, expert_of
from .similarity import similarity_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured:
    """0 for another tool than the expert's; else the mean over all arguments of either of their similarity.

    An argument that only one of the two gives counts 0; a tool without arguments is 1. Short arguments (a path, a line
    number) so weigh as much as a whole file's text.
    """

    name: str = "structured"

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """See `Scorer.similarities`."""
        left: list[str] = []
        right: list[str] = []
        owners: list[int] = []
        counts = np.zeros(len(actions))
        values = np.zeros(len(actions))
        for place, (action, target) in enumerate(zip(actions, targets, strict=True)):
            expert = expert_of(target)
            if kind_of(action) != kind_of(expert):
                continue
            mine, theirs = _arguments(action), _arguments(expert)
            counts[place] = len(mine.keys() | theirs.keys())
            values[place] = counts[place] == 0
            for name in mine.keys() & theirs.keys():
                left.append(mine[name])
                right.append(theirs[name])
                owners.append(place)
        found = similarity_batch(left, right)
        np.add.at(values, owners, found / counts[owners])
        return np.minimum(values, 1.0)


def _arguments(action: Action) -> Mapping[str, str]:
    """Arguments by name as text; absent ones are left out."""
    if isinstance(action, OtherCall):
        given = dict(action.arguments)
    else:
        given = {field.name: getattr(action, field.name) for field in fields(action)}
    return {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for name, value in given.items()
        if value is not None and not (name == "message" and value == "")
    }

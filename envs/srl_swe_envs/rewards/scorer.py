"""What a scorer is: similarities of actions to experts, many at once.

A scorer sees well-formed actions only; malformed replies never reach it (`score.py`). What it compares an action with
is a `Target`: a step instance, or the expert's action alone where the history does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, OtherCall
from ..steps import StepInstance

Target: TypeAlias = StepInstance | Action


class Scorer(Protocol):
    """Says how close actions come to experts."""

    @property
    def name(self) -> str:
        """Its name in configurations and reports."""
        ...

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """Similarity in [0, 1] of each action to the target at its place, shape `(len(actions),)`.

        `dialect` is the one the replies were written in, for scorers that compare an action as it is rendered.
        """
        ...


def expert_of(target: Target) -> Action:
    """The expert's action of a target."""
    return target.expert if isinstance(target, StepInstance) else target


def foreign_tools_of(target: Target) -> frozenset[str]:
    """Tools outside the common action set that the expert used up to and in this step."""
    turns = target.history if isinstance(target, StepInstance) else ()
    actions = (*(turn.action for turn in turns), expert_of(target))
    return frozenset(action.tool for action in actions if isinstance(action, OtherCall))

"""What a scorer is: similarities of actions to experts, many at once.

A scorer sees well-formed actions only; malformed replies never reach it (`score.py`). What it compares an action with
is a `Target`: a step instance, or the expert's action alone where the history does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

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


@runtime_checkable
class TextScorer(Scorer, Protocol):
    """A scorer that compares texts: the only kind that can compare several actions at once, or steps of mathematics."""

    def text(self, action: Action, dialect: str) -> str:
        """The text of an action that is compared."""
        ...

    def compare(self, texts: Sequence[str], experts: Sequence[str]) -> NDArray[np.float64]:
        """Similarity in [0, 1] of each text to the expert's at its place, shape `(len(texts),)`."""
        ...


def expert_of(target: Target) -> Action:
    """The expert's action of a target."""
    return target.expert if isinstance(target, StepInstance) else target


def experts_of(target: Target) -> tuple[Action, ...]:
    """All actions of a target: more than one where turns are merged into a step."""
    return (expert_of(target), *((isinstance(target, StepInstance) and target.then) or ()))


def foreign_tools_of(target: Target) -> frozenset[str]:
    """Tools outside the common action set that the expert used up to and in this step."""
    turns = target.history if isinstance(target, StepInstance) else ()
    actions = (*(turn.action for turn in turns), *experts_of(target))
    return frozenset(action.tool for action in actions if isinstance(action, OtherCall))

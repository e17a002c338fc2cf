"""When ranks must forward at the same times: the turns of a step, agreed on before its first forward.

Where a model is sharded over ranks, each forward and each backward gathers weights from all of them. A turn is one
forward, with a backward after it or without; ranks with fewer turns, or turns of another kind, fill in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

Turn: TypeAlias = bool
"""Whether a backward follows the forward."""
Lockstep: TypeAlias = Callable[[Sequence[Turn]], AbstractContextManager[Callable[[Turn], None]]]
"""Given this rank's turns in order, a context whose value is called before each of them."""


@contextmanager
def alone(turns: Sequence[Turn]) -> Iterator[Callable[[Turn], None]]:
    """The lockstep of a rank that need not wait for others."""
    yield lambda turn: None


def merged(turns: Sequence[Sequence[Turn]]) -> tuple[Turn, ...]:
    """A schedule of which every rank's turns are a subsequence: each takes the first slot of its next turn's kind."""
    left = [list(reversed(one)) for one in turns]
    schedule: list[Turn] = []
    while waiting := [one[-1] for one in left if one]:
        turn = all(waiting)  # forwards without a backward go first, so that backwards meet
        schedule.append(turn)
        for one in left:
            if one and one[-1] == turn:
                one.pop()
    return tuple(schedule)


@contextmanager
def filled(schedule: Sequence[Turn], idle: Callable[[Turn], None]) -> Iterator[Callable[[Turn], None]]:
    """Turns within a schedule: `idle` is called for each slot in which this rank has no turn of its own."""
    left = list(reversed(schedule))

    def before(turn: Turn) -> None:
        while (slot := left.pop()) != turn:
            idle(slot)

    yield before
    while left:
        idle(left.pop())

"""Kinds of generated problems: their words, their worked steps, and the numbers that they are made from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Split: TypeAlias = Literal["train", "held_out"]
Worked: TypeAlias = tuple[str, tuple[tuple[str, str], ...], int | str]
"""A problem, titles and bodies of its solution's steps, and its answer: a number, or a tuple as `(8,4,9)`."""
Cups: TypeAlias = tuple[int, ...]

_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
_THINGS = ("apples", "books", "cards", "stamps", "pens")

_MOVES: Mapping[str, Cups] = {
    "the first two": (1, 0, 2),
    "the last two": (0, 2, 1),
    "the outer two": (2, 1, 0),
}
"""From which places the contents of three cups come."""


def linear(a: int, b: int, x: int) -> Worked:
    """`ax+b=c`."""
    c = a * x + b
    steps = (
        ("Move the constant", f"${a}x={c}-{b}={c - b}$"),
        ("Divide by the coefficient", f"$x={c - b}/{a}={x}$"),
        ("Answer", f"$\\boxed{{{x}}}$"),
    )
    return f"Solve ${a}x+{b}={c}$ for $x$.", steps, x


def brackets(a: int, b: int, c: int) -> Worked:
    """`(a+b)c-a`."""
    steps = (
        ("Add inside the brackets", f"${a}+{b}={a + b}$"),
        ("Multiply", f"${a + b}\\cdot{{{c}}}={(a + b) * c}$"),
        ("Subtract", f"${(a + b) * c}-{a}={(a + b) * c - a}$"),
        ("Answer", f"$\\boxed{{{(a + b) * c - a}}}$"),
    )
    return f"Compute $({a}+{b})\\cdot{{{c}}}-{a}$.", steps, (a + b) * c - a


def bags(a: int, b: int, c: int) -> Worked:
    """Some things, and some bags of more of them."""
    name, thing = _NAMES[(a + b) % len(_NAMES)], _THINGS[(b + c) % len(_THINGS)]
    steps = (
        ("Count what is in the bags", f"${b}\\cdot{{{c}}}={b * c}$"),
        ("Add what was there", f"${a}+{b * c}={a + b * c}$"),
        ("Answer", f"$\\boxed{{{a + b * c}}}$"),
    )
    problem = (
        f"{name} has ${a}$ {thing} and buys ${b}$ bags with ${c}$ {thing} each. How many {thing} does {name} have?"
    )
    return problem, steps, a + b * c


def rectangle(a: int, b: int, c: int) -> Worked:
    """A side from a perimeter, then an area."""
    long = b + c
    steps = (
        ("Halve the perimeter", f"${2 * (a + long)}/2={a + long}$"),
        ("Find the other side", f"${a + long}-{a}={long}$"),
        ("Multiply the sides", f"${a}\\cdot{{{long}}}={a * long}$"),
        ("Answer", f"$\\boxed{{{a * long}}}$"),
    )
    problem = f"A rectangle has perimeter ${2 * (a + long)}$ and one side ${a}$. What is its area?"
    return problem, steps, a * long


def turns(cups: Cups, *moves: str) -> Worked:
    """Cups in a row; the same rearrangements as `swaps`, in other words."""
    return _moved("Turn", cups, moves)


def swaps(cups: Cups, *moves: str) -> Worked:
    """Cups in a row of which two change places."""
    return _moved("Swap", cups, moves)


def _moved(verb: str, cups: Cups, moves: tuple[str, ...]) -> Worked:
    steps = []
    held = ",".join(map(str, cups))
    problem = f"Three cups hold ${held}$. {verb} {', then '.join(moves)}. What do they hold, in order?"
    for move in moves:
        before, cups = held, tuple(cups[place] for place in _MOVES[move])
        held = ",".join(map(str, cups))
        steps.append((f"{verb} {move}", f"${before}\\to{{{held}}}$"))
    answer = f"({held})"
    return problem, (*steps, ("Answer", f"$\\boxed{{{answer}}}$")), answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Problems of one kind: what they are made from, and how many there are."""

    name: str
    work: Callable[..., Worked]
    ranges: tuple[Iterable[Any], ...]
    count: Mapping[Split, int]


_FEW: Mapping[Split, int] = {"train": 150, "held_out": 20}
_MANY: Mapping[Split, int] = {"train": 300, "held_out": 40}
_DIGITS = (range(2, 10),) * 3
_CUPS = tuple(itertools.permutations(range(1, 10), 3))
FAMILIES = (
    Family(name="linear", work=linear, ranges=_DIGITS, count=_FEW),
    Family(name="brackets", work=brackets, ranges=_DIGITS, count=_FEW),
    Family(name="bags", work=bags, ranges=_DIGITS, count=_FEW),
    Family(name="rectangle", work=rectangle, ranges=_DIGITS, count=_FEW),
    Family(name="turn", work=turns, ranges=(_CUPS, _MOVES), count=_MANY),
    Family(name="turns", work=turns, ranges=(_CUPS, _MOVES, _MOVES), count=_MANY),
    Family(name="swaps", work=swaps, ranges=(_CUPS, _MOVES, _MOVES, _MOVES), count=_MANY),
)

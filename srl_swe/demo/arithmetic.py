"""The demo's mathematics: generated problems with numbered expert solutions.

`python -m srl_swe.demo.arithmetic [--out FOLDER]` writes `train.jsonl` and `held_out.jsonl`; doing it again gives the
same bytes. The split is by the numbers of a problem, so that no held-out problem is a training problem in other words.
Formulas have no spaces: a number is then one token wherever it stands, and a small model can learn to copy it.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

FOLDER = Path(__file__).resolve().parents[2] / "trajectories" / "examples" / "math"
Split: TypeAlias = Literal["train", "held_out"]
SPLITS: tuple[Split, ...] = ("train", "held_out")

_PER_FAMILY = {"train": 150, "held_out": 20}
_HELD_OUT_SHARE = 8
"""One in so many problems is held out."""
_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
_THINGS = ("apples", "books", "cards", "stamps", "pens")

Worked: TypeAlias = tuple[str, tuple[tuple[str, str], ...], int]
"""A problem, titles and bodies of its solution's steps, and its answer."""


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


FAMILIES: tuple[Callable[[int, int, int], Worked], ...] = (linear, brackets, bags, rectangle)


def rows(split: Split) -> Iterator[dict[str, str]]:
    """Rows of a split: id, problem, solution with numbered steps, answer."""
    for family in FAMILIES:
        numbers = [
            triple for triple in itertools.product(range(2, 10), repeat=3) if _split(family.__name__, triple) == split
        ]
        random.Random(family.__name__).shuffle(numbers)
        problems: set[str] = set()
        for triple in numbers:
            problem, steps, answer = family(*triple)
            if problem in problems or len(problems) == _PER_FAMILY[split]:
                continue
            problems.add(problem)
            yield {
                "id": f"{family.__name__}-{'-'.join(map(str, triple))}",
                "problem": problem,
                "solution": numbered(steps),
                "answer": str(answer),
            }


def numbered(steps: tuple[tuple[str, str], ...]) -> str:
    """A solution as `1. **Title**: body` steps."""
    return "\n\n".join(f"{number}. **{title}**: {body}" for number, (title, body) in enumerate(steps, start=1))


def write_examples(folder: Path) -> None:
    """Write both splits."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        lines = "".join(json.dumps(row) + "\n" for row in rows(split))
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the demo's problems and their solutions.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    write_examples(parser.parse_args().out)


def _split(family: str, numbers: tuple[int, ...]) -> Split:
    """By a digest of what makes the problem: the rectangle's two sides, not the numbers that they were made from."""
    shape = (numbers[0], sum(numbers[1:])) if family == "rectangle" else numbers
    digest = hashlib.sha256(f"{family} {shape}".encode()).digest()
    return "held_out" if digest[0] % _HELD_OUT_SHARE == 0 else "train"


if __name__ == "__main__":
    main()

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .families import FAMILIES, Split

FOLDER = Path(__file__).resolve().parents[2] / "trajectories" / "examples" / "math"
SPLITS: tuple[Split, ...] = ("train", "held_out")

_HELD_OUT_SHARE = 8
"""One in so many problems is held out."""


def rows(split: Split) -> Iterator[dict[str, str]]:
    """Rows of a split: id, problem, solution with numbered steps, answer."""
    for family in FAMILIES:
        numbers = [chosen for chosen in itertools.product(*family.ranges) if _split(family.name, chosen) == split]
        random.Random(family.name).shuffle(numbers)
        problems: set[str] = set()
        for chosen in numbers:
            problem, steps, answer = family.work(*chosen)
            if problem in problems or len(problems) == family.count[split]:
                continue
            problems.add(problem)
            yield {
                "id": f"{family.name}-{_label(chosen)}",
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


def _label(chosen: tuple[Any, ...]) -> str:
    parts = ("".join(map(str, one)) if isinstance(one, tuple) else str(one).replace("the ", "") for one in chosen)
    return "-".join(parts).replace(" ", "_")


def _split(family: str, numbers: tuple[Any, ...]) -> Split:
    """By a digest of what makes the problem: the rectangle's two sides, not the numbers that they were made from."""
    shape = (numbers[0], sum(numbers[1:])) if family == "rectangle" else numbers
    digest = hashlib.sha256(f"{family} {shape}".encode()).digest()
    return "held_out" if digest[0] % _HELD_OUT_SHARE == 0 else "train"


if __name__ == "__main__":
    main()

"""Which expert trajectories teach the start and which teach the arms: two families with nothing in common.

On the demo's tasks a family is some packages, on mathematics some kinds of problem. Held-out tasks are of packages that
are in neither; held-out problems are of the arms' kinds, with other numbers.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

from srl_swe.logs import read_logs
from srl_swe_envs.trajectories import Trajectory, write_trajectories

from .arms import Domain

EXAMPLES = Path(__file__).resolve().parents[2] / "trajectories" / "examples"
START_PACKAGES = ("demo/spans", "demo/stockroom", "demo/textflow")
KINDS = {"start": "turn", "arms": "swaps"}


def write_experts(domain: Domain, folder: Path, *, count: int, seed: int) -> Path:
    """A file of `count` experts of the arms' family, drawn by the seed; 0 stands for all of the start's family."""
    path = folder / f"{domain}-{count}-{seed}.jsonl"
    fresh = _beside(path)
    if domain == "swe":
        read = list(read_logs([EXAMPLES / "train"]))
        chosen = [one for one in read if (one.task.repo in START_PACKAGES) == (count == 0)]
        write_trajectories(fresh, _drawn_trajectories(chosen, count, seed))
    else:
        rows = _problems("train", start=count == 0)
        drawn = random.Random(f"{seed}").sample(rows, count) if count else rows
        fresh.write_text("".join(f"{row}\n" for row in drawn), encoding="utf-8")
    fresh.replace(path)
    return path


def write_held_out_problems(folder: Path) -> Path:
    """The held-out problems of the arms' kinds."""
    path = folder / "math-held-out.jsonl"
    fresh = _beside(path)
    fresh.write_text("".join(f"{row}\n" for row in held_out_problems()), encoding="utf-8")
    fresh.replace(path)
    return path


def _beside(path: Path) -> Path:
    """A file of this process, which becomes the other at once: a cell that runs beside this one may be reading it."""
    return path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}")


def held_out_problems() -> list[str]:
    """Their rows, as JSON."""
    return _problems("held_out", start=False)


def _drawn_trajectories(chosen: Sequence[Trajectory], count: int, seed: int) -> list[Trajectory]:
    ordered = sorted(chosen, key=lambda one: one.id)
    return random.Random(f"{seed}").sample(ordered, count) if count else ordered


def _problems(split: str, *, start: bool) -> list[str]:
    lines = (EXAMPLES / "math" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    kind = KINDS["start" if start else "arms"]
    return [line for line in lines if json.loads(line)["id"].startswith(kind)]

"""Make the demo task set again: `python -m srl_swe_envs.demo.generate [--seed N] [--out FOLDER]`.

Writes `tasks.jsonl` and `suites.json` beside this file. It takes some minutes (every mutant's suite is run) and gives
the same bytes every time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..mutation import MutantTask, make_tasks
from ..mutation.mutants import Mutant
from .tasks import HELD_OUT_PACKAGES, materialise_mutant, package_folder, package_names

SEED = 2024
TRAIN_TASKS_PER_PACKAGE = 27
HELD_OUT_TASKS_PER_PACKAGE = 20


def tasks_of_package(package: str, *, limit: int, seed: int = SEED) -> list[MutantTask]:
    """The first `limit` tasks of a package; progress goes to standard error."""

    def report(mutant: Mutant, task: MutantTask | None) -> None:
        mark = "+" if task is not None else "-"
        print(f"{mark} {package}: {mutant.operator} in {mutant.function}", file=sys.stderr)

    return make_tasks(package_folder(package), limit=limit, seed=seed, on_mutant=report)


def record_of(package: str, task: MutantTask) -> dict[str, Any]:
    """The line of `tasks.jsonl` for a task."""
    mutant = task.mutant
    clean, commit = _commit(package, None), _commit(package, mutant)
    return {
        "id": task.id(f"demo__{package}.{clean[:8]}"),
        "package": package,
        "path": mutant.path,
        "operator": mutant.operator,
        "function": mutant.function,
        "start": mutant.start,
        "old": mutant.old,
        "new": mutant.new,
        "issue": task.issue,
        "fail_to_pass": list(task.fail_to_pass),
        "commit": commit,
    }


def _commit(package: str, mutant: Mutant | None) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return materialise_mutant(package, mutant, Path(scratch))


def generate(folder: Path, seed: int) -> None:
    """Write both files for all packages."""
    records = []
    suites = {}
    for package in package_names():
        limit = HELD_OUT_TASKS_PER_PACKAGE if package in HELD_OUT_PACKAGES else TRAIN_TASKS_PER_PACKAGE
        tasks = tasks_of_package(package, limit=limit, seed=seed)
        records += [record_of(package, task) for task in tasks]
        suites[package] = list(tasks[0].suite)
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (folder / "tasks.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "suites.json").write_text(json.dumps(suites, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    arguments = parser.parse_args()
    generate(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()

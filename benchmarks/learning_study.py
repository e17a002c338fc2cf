"""The learning study: every method from the same start, with the same expert trajectories and the same compute.

    python benchmarks/learning_study.py run [--seeds 0 1 2 3 4] [--domains swe math] [--workers 2] [--quick]
    python benchmarks/learning_study.py report

`run` does the cells of the seeds that have no file in `--results` yet, one thread each, `--workers` at a time; a domain
of a seed is one piece. Killed, it goes on where it was. `--quick` is one seed without the learning curve and with a
fraction of the compute, in a folder of its own, to see that everything runs. `report` writes docs/learning_study.md and
its plots from the files. benchmarks/study has the arms, their settings and the results.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "envs")]

from benchmarks.study.arms import DOMAINS, EXPERTS, SEEDS, Cell, piece  # noqa: E402
from benchmarks.study.cells import Study  # noqa: E402
from benchmarks.study.report import Results, curve, page  # noqa: E402

RESULTS = ROOT / "benchmarks" / "study" / "results"
DOCS = ROOT / "docs"
FIRST_ROUND = ROOT / "benchmarks" / "study" / "first_round"
QUICK_SHARE = 0.125


def run(args: argparse.Namespace) -> int:
    """Run what is not done; 1 when a cell failed."""
    study = Study(work=args.work, results=args.results)
    seeds = args.seeds
    if args.quick:
        seeds = args.seeds[:1]
        work = args.work / "quick"
        study = Study(work=work, results=work / "results", share=QUICK_SHARE, tasks=2, steps=12)
    failed = 0
    for seed, domain in itertools.product(seeds, args.domains):
        cells = [cell for cell in piece(domain, seed) if not args.quick or cell.experts in (0, EXPERTS[domain])]
        todo = [cell for cell in cells if not study.result(cell).exists()]
        if not todo:
            continue
        study.make_start(domain, seed)  # once, before what begins there
        with ProcessPoolExecutor(args.workers) as pool:
            failed += _all(pool, study, todo)
    return 1 if failed else 0


def _all(pool: ProcessPoolExecutor, study: Study, cells: list[Cell]) -> int:
    """Run cells; gives how many failed."""
    failed = 0
    waiting = {pool.submit(_timed, study, cell): cell for cell in cells}
    for done in as_completed(waiting):
        problem = done.exception()
        failed += problem is not None
        said = f"failed: {problem}" if problem else f"done in {done.result():.0f} s"
        print(f"{time.strftime('%H:%M:%S')} {waiting[done].name}: {said}", flush=True)
    return failed


def _timed(study: Study, cell: Cell) -> float:
    began = time.monotonic()
    study.run(cell)
    return time.monotonic() - began


def report(args: argparse.Namespace) -> int:
    """Write the document and its plots."""
    results = Results(args.results)
    if len(results.shares) > 1:
        raise SystemExit(f"{args.results}: results of different shares of the compute: {sorted(results.shares)}")
    template = (ROOT / "benchmarks/study/page.md").read_text(encoding="utf-8")
    args.docs.mkdir(parents=True, exist_ok=True)
    text = page(template, results, Results(FIRST_ROUND))
    (args.docs / "learning_study.md").write_text(text, encoding="utf-8")
    for domain in DOMAINS:
        if plot := curve(results, domain):
            (args.docs / f"learning_study_{domain}.svg").write_text(plot, encoding="utf-8")
    return 0


def main() -> int:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=list(DOMAINS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "learning_study", help="training runs go there")
    parser.add_argument("--results", type=Path, default=RESULTS, help="one file per cell")
    parser.add_argument("--docs", type=Path, default=DOCS)
    args = parser.parse_args()
    args.work = args.work.resolve()
    return run(args) if args.command == "run" else report(args)


if __name__ == "__main__":
    raise SystemExit(main())

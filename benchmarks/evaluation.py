"""How much of the processors' time an evaluation spends on the tests themselves, with patches that cost nothing.

Grades the reference fixes of demo tasks with two workers and compares with the same tests run bare, one after the
other, without any sandbox: `bare_cpu_s` is what the tests need, `own_cpu_s` what the evaluating process adds, `wall_s`
what it takes, `busy` the share of the machine's processor time that was not idle meanwhile. On a machine that does
other things `busy` and the wall times say nothing; `load_average` says how much there was.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from srl_swe.evaluation.grading import DemoGrader
from srl_swe.evaluation.items import Item
from srl_swe.evaluation.patch_sources import Gold
from srl_swe.evaluation.run import Plan, evaluate
from srl_swe.evaluation.store import RunFolder
from srl_swe.evaluation.workspaces import Backend, Workspaces, choose_backend
from srl_swe_envs.demo import load_demo_tasks, materialise
from srl_swe_envs.tasks import Task

WORKERS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="4 tasks instead of 20")
    parser.add_argument("--backends", default="local,docker")
    options = parser.parse_args()
    tasks = load_demo_tasks()[:: max(1, len(load_demo_tasks()) // 20)][: 4 if options.quick else 20]
    report: dict[str, object] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "tasks": len(tasks),
        "workers": WORKERS,
        **bare(tasks),
    }
    for backend in options.backends.split(","):
        report |= {f"{backend}_{name}": value for name, value in measured(tasks, backend).items()}
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def bare(tasks: tuple[Task, ...]) -> dict[str, float]:
    """Wall and processor time of the tests alone, after the reference fix, in plain folders."""
    before, started = children_s(), time.monotonic()
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "task"
            materialise(task, place)
            subprocess.run(["git", "apply", "-"], input=task.gold_patch.encode(), cwd=place, check=True)
            files = sorted({test.partition("::")[0] for test in (*task.fail_to_pass, *task.pass_to_pass)})
            command = [sys.executable, "-m", "pytest", "-q", *files]
            subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)
    return {"bare_s": time.monotonic() - started, "bare_cpu_s": children_s() - before}


def measured(tasks: tuple[Task, ...], wanted: str) -> dict[str, float]:
    items = tuple(Item(task=task) for task in tasks)
    backend: Backend = choose_backend(wanted, items)
    with tempfile.TemporaryDirectory() as folder, Workspaces(backend=backend).ready() as workspaces:
        plan = Plan(source=Gold(), grader=DemoGrader(open_workspace=workspaces.open), workers=WORKERS)
        idle, total = processor_ticks()
        own, started = time.process_time(), time.monotonic()
        with RunFolder.open(Path(folder) / "run", {}) as run:
            done = evaluate(items, plan, run, said=lambda text: None)
        wall_s = time.monotonic() - started
        own = time.process_time() - own
        idle_after, total_after = processor_ticks()
    return {
        "resolved": sum(result.grade.outcome == "resolved" for result in done),
        "wall_s": wall_s,
        "tasks_per_minute": 60 * len(tasks) / wall_s,
        "own_cpu_s": own,
        "busy": 1 - (idle_after - idle) / (total_after - total),
    }


def processor_ticks() -> tuple[int, int]:
    """Idle and all ticks of all processors since boot."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def children_s() -> float:
    """Processor time of all ended children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

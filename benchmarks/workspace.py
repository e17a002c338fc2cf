"""What a step, a start, a reset, a snapshot and a restore cost, side by side.

    python benchmarks/workspace.py --json FILE [--quick] [--contenders local,docker,...]

All contenders are measured in one run, interleaved round robin, so that whatever else the machine does hits them
alike. Times are wall-clock milliseconds from asking to having the answer: median and 95th percentile. `start` is from
nothing to the answer of the first command. A warm pool is asked when it has its stock again: while it keeps up.
`parallel` is steps per second of 8 workspaces together.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.container_contenders import CONTAINER_CONTENDERS, example_image, missing
from benchmarks.contenders import CONTENDERS, Contender, Source, Started, example_repository

STEPS = {
    "true": "true",
    "view": "sed -n '900,1000p' module.py",
    "edit": "sed -i 's/^value_950 = .*/value_950 = 0/' module.py",
}
DIRTY = (
    "echo x=1 >/usr/lib/python3/dist-packages/installed.py; head -c 5000000 /dev/urandom >/tmp/blob;"
    " rm -f part_1*.py; sleep 1000 &"
)
PARALLEL = 8
TIMEOUT_S = 60.0


class Samples:
    """Milliseconds by (contender, what)."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], list[float]] = {}

    def time(self, contender: str, what: str, action: Callable[[], Any]) -> Any:
        """Run `action` and note what it took."""
        started = time.perf_counter()
        result = action()
        self._of.setdefault((contender, what), []).append((time.perf_counter() - started) * 1000)
        return result

    def figures(self) -> dict[str, float]:
        """Flat figures: `local_true_median_ms`, `local_true_p95_ms`, `local_true_samples`, ..."""
        flat: dict[str, float] = {}
        for (contender, what), values in self._of.items():
            key = f"{contender}_{what}"
            flat[f"{key}_median_ms"] = round(statistics.median(values), 3)
            flat[f"{key}_p95_ms"] = round(sorted(values)[int(len(values) * 0.95)], 3)
            flat[f"{key}_samples"] = len(values)
        return flat


def measure_steps(contenders: Iterable[Contender], samples: Samples, count: int) -> None:
    """Single commands in workspaces that stay open."""
    with ExitStack() as stack:
        opened = {contender.name: _opened(contender, stack) for contender in contenders}
        for _ in range(count):
            for what, command in STEPS.items():
                for name, started in opened.items():
                    samples.time(name, what, lambda started=started, command=command: started.run(command, TIMEOUT_S))


def measure_lives(contenders: Iterable[Contender], samples: Samples, count: int) -> None:
    """From nothing to the first answer, and the end."""
    for _ in range(count):
        for contender in contenders:
            contender.settle()
            started = samples.time(contender.name, "start", lambda contender=contender: _first_answer(contender))
            samples.time(contender.name, "close", started.close)


def measure_states(contenders: Iterable[Contender], samples: Samples, count: int) -> None:
    """Reset, snapshot and restore of a dirty workspace that has a process running, each up to the next answer."""
    with ExitStack() as stack:
        opened: dict[str, tuple[Contender, Any]] = {
            one.name: (one, _opened(one, stack)) for one in contenders if one.states
        }
        for _ in range(count):
            for name, (contender, started) in opened.items():
                started.run(DIRTY, TIMEOUT_S)
                kept = samples.time(name, "snapshot", lambda started=started: _and_answer(started, started.snapshot))
                started.run(DIRTY, TIMEOUT_S)
                samples.time(
                    name,
                    "restore",
                    lambda started=started, kept=kept: _and_answer(started, lambda: started.restore(kept)),
                )
                started.run(DIRTY, TIMEOUT_S)
                contender.settle()
                samples.time(name, "reset", lambda started=started: _and_answer(started, started.reset))


def measure_parallel(contenders: Iterable[Contender], seconds: float) -> dict[str, float]:
    """Steps per second of 8 workspaces at once, a third each of `STEPS`."""
    figures = {}
    for contender in contenders:
        with ExitStack() as stack, ThreadPoolExecutor(PARALLEL) as pool:
            opened = list(pool.map(lambda _, one=contender: _opened(one, stack), range(PARALLEL)))
            end = time.perf_counter() + seconds
            began = time.perf_counter()
            counts = list(pool.map(lambda started, end=end: _step_until(started, end), opened))
            figures[f"{contender.name}_parallel_steps_per_s"] = round(sum(counts) / (time.perf_counter() - began), 1)
    return figures


def _opened(contender: Contender, stack: ExitStack) -> Started:
    started = contender.start()
    stack.callback(started.close)
    started.run("true", TIMEOUT_S)
    return started


def _first_answer(contender: Contender) -> Started:
    started = contender.start()
    started.run("true", TIMEOUT_S)
    return started


def _and_answer(started: Started, action: Callable[[], Any]) -> Any:
    result = action()
    started.run("true", TIMEOUT_S)
    return result


def _step_until(started: Started, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        for command in STEPS.values():
            started.run(command, TIMEOUT_S)
            count += 1
    return count


def machine() -> dict[str, object]:
    """Where and with what the figures were measured."""
    versions = {}
    for package in ("srl-swe", "docker", "mini-swe-agent", "swe-rex"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": versions,
    }


def write_report(file: Path | None, report: dict[str, object]) -> str:
    """The figures so far as JSON, written to `file` after each part, because the whole takes long."""
    text = json.dumps(report, indent=1)
    if file:
        file.write_text(text + "\n", encoding="utf-8")
    return text


def chosen_contenders(names: list[str], repository: Path, stack: ExitStack) -> list[Contender]:
    """The contenders by name; those that this machine or this Python lacks are left out with a note."""
    for name in names:
        if problem := missing(name):
            print(f"skipped {name}: {problem}", file=sys.stderr)
    here = [name for name in names if not missing(name)]
    image = stack.enter_context(example_image(repository)) if set(here) & set(CONTAINER_CONTENDERS) else ""
    source = Source(repository=repository, image=image)
    return [
        CONTENDERS[name](source) if name in CONTENDERS else CONTAINER_CONTENDERS[name](source, stack) for name in here
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    names = (*CONTENDERS, *CONTAINER_CONTENDERS)
    parser.add_argument("--contenders", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--lives", type=int, help="samples of all but steps (default: as steps)")
    options = parser.parse_args()
    count = 20 if options.quick else 200
    samples = Samples()
    with example_repository() as repository, ExitStack() as stack:
        contenders = chosen_contenders(options.contenders.split(","), repository, stack)
        report: dict[str, object] = {**machine(), "quick": options.quick}
        measure_steps(contenders, samples, count)
        write_report(options.json, report | samples.figures())
        measure_lives(contenders, samples, options.lives or count)
        write_report(options.json, report | samples.figures())
        measure_states(contenders, samples, options.lives or count)
        write_report(options.json, report | samples.figures())
        parallel = measure_parallel(contenders, 1.0 if options.quick else 10.0)
    text = write_report(options.json, report | samples.figures() | parallel)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

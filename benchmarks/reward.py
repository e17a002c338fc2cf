"""Scores pairs with difflib, cydifflib and both kernels, and writes the figures as flat JSON.

    python benchmarks/reward.py --json reward.json [--quick]

* `bucket.*`: microseconds a pair by the expert's length, replies equal to their expert left out, autojunk off and on.
* `step.*`: seconds for a training step of 4,096 pairs, autojunk off. difflib scores every 64th pair and the pure-Python
  kernel every 8th; their seconds are scaled up, and `*_scored_pairs` says from how many. Nothing else is scaled.
* `hostile.*`: milliseconds for one pair of a family that difflib is slow on, for each length up to the first where a
  matcher takes more than half a second (the next would take a cubic one up to eight times as long): those beyond are
  null, "not run".

Seconds are CPU seconds of one thread, so that a busy machine does not change the ratios; `*_wall_s` are by the clock.
"""

import argparse
import difflib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import cydifflib
import numpy as np

from benchmarks.reward_inputs import BUCKETS, HOSTILE, Pair, bucket_pairs, step_pairs
from srl_swe_envs.rewards import gestalt, kernel_name, similarity_batch

try:
    from srl_swe_envs.rewards import _gestalt
except ImportError:
    sys.exit("the compiled kernel is not built: pip install -e .")

Figures = dict[str, float | int | str | None]
Ratio = Callable[[str, str, bool], float]

MATCHERS: dict[str, Ratio] = {
    "difflib": lambda a, b, autojunk: difflib.SequenceMatcher(None, a, b, autojunk=autojunk).ratio(),
    "cydifflib": lambda a, b, autojunk: cydifflib.SequenceMatcher(None, a, b, autojunk=autojunk).ratio(),
    "python": gestalt.ratio,
    "c": _gestalt.ratio,
}
CELL_LIMIT_S = 6.0
HOSTILE_LIMIT_S = 0.5
HOSTILE_LENGTHS = (500, 1_000, 2_000, 4_000, 8_000, 20_000)
SAMPLING = {"difflib": 64, "python": 8}
"""Every how many pairs of the step a slow matcher scores one."""


def cpu_seconds(ratio: Ratio, pairs: Sequence[Pair], autojunk: bool, limit_s: float) -> tuple[float, int]:
    """CPU seconds for as many of the pairs as fit in the limit (one at least), and how many those are."""
    start, taken_s, scored = time.process_time(), 0.0, 0
    while scored < len(pairs) and taken_s <= limit_s:
        ratio(*pairs[scored], autojunk)
        taken_s, scored = time.process_time() - start, scored + 1
    return taken_s, scored


def buckets(figures: Figures, num_experts: int, limit_s: float) -> None:
    for bucket in BUCKETS:
        pairs = bucket_pairs(bucket, num_experts)
        pairs = pairs[::7] + [pair for k, pair in enumerate(pairs) if k % 7]  # one of each expert first
        for autojunk in (False, True):
            key = f"bucket.{bucket[0]}-{bucket[1]}.{'autojunk' if autojunk else 'exact'}"
            for name, ratio in MATCHERS.items():
                taken_s, scored = cpu_seconds(ratio, pairs, autojunk, limit_s)
                figures[f"{key}.{name}_us_per_pair"] = round(taken_s / scored * 1e6, 2)
                figures[f"{key}.{name}_pairs"] = scored
            add_ratios(figures, key, "us_per_pair")


def add_ratios(figures: Figures, key: str, unit: str) -> None:
    ours = figures[f"{key}.c_{unit}"]
    for name in ("difflib", "cydifflib", "python"):
        theirs = figures[f"{key}.{name}_{unit}"]
        known = isinstance(theirs, int | float) and isinstance(ours, int | float) and ours
        figures[f"{key}.{name}_over_c"] = round(theirs / ours, 1) if known else None


def step(figures: Figures, num_pairs: int) -> None:
    pairs = step_pairs(num_pairs)
    lengths = np.array([len(expert) for _, expert in pairs])
    figures["step.pairs"] = num_pairs
    figures["step.expert_chars_median"] = float(np.median(lengths))
    figures["step.expert_chars_p90"] = float(np.quantile(lengths, 0.9))
    figures["step.expert_chars_max"] = int(lengths.max())
    for name in ("difflib", "cydifflib", "python"):
        every = SAMPLING.get(name, 1)
        taken_s, scored = cpu_seconds(MATCHERS[name], sampled(pairs, every), False, float("inf"))
        figures[f"step.{name}_cpu_s"] = round(taken_s * num_pairs / scored, 3)
        figures[f"step.{name}_scored_pairs"] = scored
    actions, experts = zip(*pairs, strict=True)
    for key, num_threads in (("step.c", 1), ("step.c_all_cpus", None)):
        wall, cpu = time.perf_counter(), time.process_time()
        values = similarity_batch(actions, experts, num_threads=num_threads)
        figures[f"{key}_cpu_s"] = round(time.process_time() - cpu, 3)
        figures[f"{key}_wall_s"] = round(time.perf_counter() - wall, 3)
    some = range(0, num_pairs, 16)
    differing = sum(MATCHERS["cydifflib"](*pairs[k], False) != float(values[k]) for k in some)
    figures["step.pairs_that_differ_from_cydifflib"] = differing
    figures["step.pairs_compared_with_cydifflib"] = len(some)
    add_ratios(figures, "step", "cpu_s")


def sampled(pairs: Sequence[Pair], every: int) -> list[Pair]:
    """Every so many pairs in the order of their length, so that a sample has the lengths of the whole."""
    by_length = sorted(pairs, key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    return by_length[every // 2 :: every]


def hostile(figures: Figures, lengths: Sequence[int]) -> None:
    slowest = 0.0
    for family, pair_of in HOSTILE.items():
        for name, ratio in MATCHERS.items():
            over = False
            for num_chars in lengths:
                key = f"hostile.{family}.{num_chars}.{name}_ms"
                figures[key] = None
                if not over:
                    taken_s, _ = cpu_seconds(ratio, [pair_of(num_chars)], False, float("inf"))
                    figures[key] = round(taken_s * 1e3, 3)
                    over = taken_s > HOSTILE_LIMIT_S
                    slowest = max(slowest, taken_s) if name == "c" else slowest
    figures["hostile.slowest_c_ms"] = round(slowest * 1e3, 3)


def machine() -> Figures:
    return {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "cpu": cpu_model(),
        "system": platform.system(),
        "python": platform.python_version(),
        "cydifflib": version("cydifflib"),
        "numpy": np.__version__,
        "kernel": kernel_name(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--quick", action="store_true", help="fewer pairs and lengths: seconds instead of minutes")
    options = parser.parse_args()
    figures = machine()
    buckets(figures, 2 if options.quick else 8, CELL_LIMIT_S / 20 if options.quick else CELL_LIMIT_S)
    step(figures, 256 if options.quick else 4_096)
    hostile(figures, HOSTILE_LENGTHS[:2] if options.quick else HOSTILE_LENGTHS)
    options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for key in ("step.c_cpu_s", "step.cydifflib_over_c", "step.difflib_over_c", "hostile.slowest_c_ms"):
        print(f"{key}: {figures[key]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

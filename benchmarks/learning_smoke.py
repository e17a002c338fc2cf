"""Does the demo learn? `make train`'s configuration over several seeds: held-out reward from SFT's end to SRL's end.

    python benchmarks/learning_smoke.py --json FILE [--quick] [--seeds N]

`rise` is the held-out reward after SRL minus that after SFT, one number per seed; it counts as shown when its mean is
larger than its standard deviation over seeds. Quick: one seed and a tenth of the steps, which shows nothing but that
it runs.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
QUICK = ("sft.max_steps=30", "sft.evaluate_every=30", "srl.max_steps=4", "srl.evaluate_every=2", "data.heldout_steps=9")


def main() -> int:
    """Train once per seed and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    runs = [_run(seed, args.quick) for seed in range(1 if args.quick else args.seeds)]
    figures = {**_figures(runs), "machine": platform.processor() or platform.machine(), "date": str(date.today())}
    args.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    return 0


def _run(seed: int, quick: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "srl_swe", "train", str(ROOT / "examples/demo.toml"), "--out", f"{folder}/run"]
        changes = [f"seed={seed}", *(QUICK if quick else ())]
        began = time.perf_counter()
        subprocess.run([*command, *(part for change in changes for part in ("--set", change))], check=True, cwd=ROOT)
        seconds = time.perf_counter() - began
        summary = json.loads((Path(folder) / "run/summary.json").read_text())
    return {"seconds": seconds, **{stage["name"]: stage["heldout"] for stage in summary["stages"]}}


def _figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    rises = [run["srl"]["reward"] - run["sft"]["reward"] for run in runs]
    found: dict[str, Any] = {f"seconds_seed{seed}": round(run["seconds"], 1) for seed, run in enumerate(runs)}
    for stage in ("start", "sft", "srl"):
        for name in ("reward", "greedy_reward", "similarity", "malformed", "exact_match"):
            values = [run[stage][name] for run in runs]
            found[f"{stage}_{name}"] = [round(value, 4) for value in values]
    spread = statistics.stdev(rises) if len(rises) > 1 else None
    found |= {"rise": [round(rise, 4) for rise in rises], "rise_mean": statistics.mean(rises), "rise_std": spread}
    if spread:
        found["rise_over_spread"] = statistics.mean(rises) / spread
    return found


if __name__ == "__main__":
    raise SystemExit(main())

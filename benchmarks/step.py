"""Times a whole training step on the demo's model: rollout, reward, loss and backward, trl's own against ours.

    python benchmarks/step.py --json step.json [--quick] [--updates 2] [--model DIR] [--sft-steps 150]

The model is the demo's after some SFT (`--model` takes one that exists), so that replies look like replies. Each side
makes `--updates` updates of examples/demo.toml's [srl] (16 steps, 8 replies of at most 160 tokens) in a process of its
own, on the same steps, with the same scorer, learning rate 0 and no dynamic sampling:

* `ours`: SrlTrainer with the shared-trunk decoder and trajectory trees.
* `trl`: trl's GRPOTrainer with its own `generate` and loss; micro-batches of one group, no gradient checkpointing.
* `trl_same_replies`: the same, but its replies are those that `ours` sampled, handed over by a rollout function, so
  that loss and backward are of the same tokens; `gradient_difference` is the first update's worst relative L2.

Seconds are CPU seconds of the process for one update (one thread unless `--threads`), divided into rollout, score and
loss (all the rest). `still_share`: replies in groups without deviation, whose gradient is zero; ours leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "envs")]

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402

from benchmarks.step_trainers import make_bench, run_ours, run_trl  # noqa: E402

CONFIG = ROOT / "examples" / "demo.toml"
SIDES = ("ours", "trl_same_replies", "trl")
QUICK = ("srl.batch=3", "srl.replies=4", "rollout.max_reply_tokens=32")


def measure(side: str, asked: argparse.Namespace) -> dict[str, float]:
    """One side's figures, in this process; `ours` leaves its replies and gradients for the others."""
    folder: Path = asked.folder
    overrides = QUICK if asked.quick else ()
    bench = make_bench(CONFIG, asked.model, folder / side, overrides=overrides, updates=asked.updates)
    if side == "ours":
        found, gradients, groups = run_ours(bench)
        torch.save(gradients, folder / "gradients.pt")
        (folder / "groups.pickle").write_bytes(pickle.dumps(groups))
        return found
    if side == "trl":
        return run_trl(bench)[0]
    found, gradients = run_trl(bench, pickle.loads((folder / "groups.pickle").read_bytes()))
    ours = torch.load(folder / "gradients.pt")
    apart = {name: float((ours[name] - grad).norm() / grad.norm().clamp(min=1e-12)) for name, grad in gradients.items()}
    return {**found, "gradient_difference": max(apart.values())}


def in_a_process(side: str, asked: argparse.Namespace, folder: Path, model: Path) -> dict[str, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--model", str(model)]
    command += ["--updates", str(asked.updates), *(["--quick"] if asked.quick else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{side}: {found['step_seconds']:.1f} s an update", file=sys.stderr)
    return found


def prepared_model(asked: argparse.Namespace, folder: Path) -> Path:
    """The demo's model after some updates of SFT, as `srl-swe train` leaves it."""
    steps = 20 if asked.quick else asked.sft_steps
    sets = ('stages=["sft"]', f"sft.max_steps={steps}", "data.heldout_steps=8", "report_to=[]")
    command = [sys.executable, "-m", "srl_swe", "train", str(CONFIG), "--out", str(folder / "sft")]
    subprocess.run([*command, *(part for one in sets for part in ("--set", one))], check=True, stdout=sys.stderr)
    return next((folder / "sft" / "1-sft").glob(f"checkpoint-{steps}"))


def figures(asked: argparse.Namespace) -> dict[str, Any]:
    """All sides' figures and their ratios."""
    flat: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = asked.model or prepared_model(asked, folder)
        for side in SIDES:
            flat.update({f"{side}.{key}": value for key, value in in_a_process(side, asked, folder, model).items()})
    for side in SIDES[1:]:
        for phase in ("step", "rollout", "loss"):
            flat[f"ratio.{side}_over_ours_{phase}"] = flat[f"{side}.{phase}_seconds"] / flat[f"ours.{phase}_seconds"]
    del flat["ratio.trl_same_replies_over_ours_step"], flat["ratio.trl_same_replies_over_ours_rollout"]
    return flat


def about(asked: argparse.Namespace) -> dict[str, Any]:
    """The machine, the versions and the date."""
    return {
        "date": date.today().isoformat(),
        "device": platform.processor() or platform.machine(),
        "threads": asked.threads,
        "updates": asked.updates,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
    }


def main() -> None:
    """Parse the arguments, measure, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--quick", action="store_true", help="a small batch: a minute, to see that it runs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--updates", type=int, default=2)
    parser.add_argument("--sft-steps", type=int, default=150)
    parser.add_argument("--model", type=Path, help="directory of a demo model that exists")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        print(json.dumps(measure(asked.side, asked)))
        return
    if asked.json is None:
        parser.error("--json FILE is required")
    found = {**about(asked), **figures(asked)}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Times and weighs the loss of one trajectory's replies: as trl pads it, trimmed, per group, and as a tree.

    python benchmarks/tree.py --json tree.json [--quick] [--trunk 4000 --steps 25 --group 8 --reply 60]
                              [--hidden 256 --layers 4 ...] [--device cuda --dtype bfloat16]

Schemes (forward and backward of every reply's loss, each in a process of its own):

* `padded`: one row a reply, prompts and replies padded to the batch's longest, `group` rows a micro-batch, as trl's
  GRPOTrainer does, but the output matrix meets reply positions only. All its micro-batches have one size, so one is
  timed and multiplied (`padded_sampled_parts`, of `padded_parts`); with `--sampled` >= the steps, all are run.
* `trimmed`: the same with each micro-batch padded to its own longest. `--sampled` of its micro-batches are timed, the
  middles of as many equal ranges, and multiplied.
* `group`: each prompt forwarded once and shared by its own replies. `tree`: one row for the whole tree.
* `two_pass`: the tree with at most `--segment` tokens' activations at once; `two_pass_wide`: four times as many.

CPU figures are CPU seconds of the process (one thread unless `--threads`), so that a busy machine changes ratios
little; peak memory is the process's above what it held before. On a GPU: seconds by the clock after a warm-up, peak of
the allocator, tokens a second and the share of `--peak-tflops` that the scheme's own operations come to.
`gradient_difference.*` is the worst parameter's relative L2 distance from `group`'s gradient, and from `padded`'s on a
shape small enough to run all of it; `--no-compare` leaves them out, `--only NAMES` all schemes but some.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "envs")]

import torch  # noqa: E402
import transformers  # noqa: E402

from benchmarks.tree_schemes import SCHEMES, Shape, Work, make_model, make_tree, scheme  # noqa: E402
from srl_swe.learning.tree import Tree  # noqa: E402

SMALL = {"trunk": 240, "steps": 5, "group": 3, "reply": 12, "hidden": 64, "layers": 2, "vocabulary": 256}
WHOLE = ("group", "tree", "two_pass", "two_pass_wide")
"""Schemes that are timed in full, so that their gradients are whole."""


def measure(name: str, shape: Shape, gradients: Path | None) -> dict[str, float]:
    """Run one scheme in this process."""
    model, tree = make_model(shape), make_tree(shape)
    work = scheme(name, shape, model, tree)
    found = _timed(work.parts, shape.device)
    if gradients is not None:
        torch.save({n: p.grad for n, p in model.named_parameters()}, gradients)
    seconds = found["seconds"] * work.scale
    flops = _operations(shape, model, tree, work)
    return {
        "seconds": seconds,
        "peak_mb": found["peak_mb"],
        "tokens": work.tokens,
        "pairs": work.pairs,
        "sampled_parts": len(work.parts),
        "parts": round(len(work.parts) * work.scale),
        "tokens_per_s": work.tokens / seconds,
        "tflops_per_s": flops / seconds / 1e12,
    }


def _operations(shape: Shape, model: torch.nn.Module, tree: Tree, work: Work) -> float:
    """Forward and backward: layers on the scheme's tokens, attention on its pairs, the head on the replies' tokens."""
    body, head = 0, 0
    for name, parameter in model.named_parameters():
        body += 0 if "embed" in name or "lm_head" in name else parameter.numel()
        head += parameter.numel() if "lm_head" in name else 0
    replies = sum(len(branch.token_ids) for branch in tree.branches)
    width = shape.head_dim or shape.hidden // shape.heads
    return 3 * (2 * (body * work.tokens + head * replies) + 4 * shape.heads * width * shape.layers * work.pairs)


def _timed(parts: Any, device: str) -> dict[str, float]:
    if device.startswith("cuda"):
        parts[0]()  # compiles and warms up
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held, start = torch.cuda.memory_allocated(), time.perf_counter()
        for part in parts:
            part()
        torch.cuda.synchronize()
        taken = time.perf_counter() - start
        return {"seconds": taken, "peak_mb": (torch.cuda.max_memory_allocated() - held) / 2**20}
    held, start = resident_mb(), time.process_time()
    for part in parts:
        part()
    taken = time.process_time() - start
    return {"seconds": taken, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - held}


def resident_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_a_process(name: str, shape: Shape, threads: int, gradients: Path | None = None) -> dict[str, float]:
    """`measure` in a fresh process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--scheme", name, "--shape", json.dumps(asdict(shape))]
    if gradients is not None:
        command += ["--gradients", str(gradients)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {found['seconds']:.1f} s, {found['peak_mb']:.0f} MB", file=sys.stderr)
    return found


def difference(first: Path, second: Path) -> float:
    """The worst parameter's relative L2 distance between two files of gradients."""
    left, right = torch.load(first), torch.load(second)
    return max(float((left[name] - grad).norm() / grad.norm()) for name, grad in right.items())


def figures(shape: Shape, names: list[str], threads: int, *, compare: bool) -> dict[str, Any]:
    """The schemes' figures, their ratios, and the gradient differences."""
    flat: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        saved = {name: Path(folder, f"{name}.pt") for name in names}
        whole = [name for name in names if name in WHOLE] if compare else []
        for name in names:
            found = in_a_process(name, shape, threads, saved[name] if name in whole else None)
            flat.update({f"{name}_{key}": value for key, value in found.items()})
        if "group" in whole:
            for name in [name for name in whole if name != "group"]:
                flat[f"gradient_difference.{name}_from_group"] = difference(saved[name], saved["group"])
        if compare and "padded" in names:
            small = replace(shape, **SMALL, segment=64, sampled=SMALL["steps"])
            for name in names:
                in_a_process(name, small, threads, saved[name])
            for name in [name for name in names if name != "padded"]:
                flat[f"gradient_difference.{name}_from_padded_small"] = difference(saved[name], saved["padded"])
    for slow in [name for name in names if name in ("padded", "trimmed", "group")]:
        for fast in [name for name in names if name in ("tree", "two_pass", "two_pass_wide")]:
            flat[f"ratio.{slow}_over_{fast}_seconds"] = flat[f"{slow}_seconds"] / flat[f"{fast}_seconds"]
            flat[f"ratio.{slow}_over_{fast}_peak"] = flat[f"{slow}_peak_mb"] / flat[f"{fast}_peak_mb"]
    return flat


def about(shape: Shape, threads: int) -> dict[str, Any]:
    """The machine, the versions, the date and the shape."""
    name = (
        torch.cuda.get_device_name() if shape.device.startswith("cuda") else platform.processor() or platform.machine()
    )
    return {
        "date": date.today().isoformat(),
        "device": name,
        "threads": threads,
        "seconds_are": "by the clock" if shape.device.startswith("cuda") else "CPU seconds",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        **{f"shape.{key}": value for key, value in asdict(shape).items()},
    }


def main() -> None:
    """Parse the arguments, measure, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--quick", action="store_true", help="a small shape: seconds, to see that it runs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak-tflops", type=float, help="of the device, for the model FLOP utilisation")
    parser.add_argument("--only", nargs="+", choices=list(SCHEMES), default=list(SCHEMES), help="schemes to time")
    parser.add_argument("--compare", action=argparse.BooleanOptionalAction, default=True, help="gradients, too")
    parser.add_argument("--scheme", choices=list(SCHEMES), help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    parser.add_argument("--gradients", type=Path, help=argparse.SUPPRESS)
    for field in fields(Shape):
        kind = str if isinstance(field.default, str) else int
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    asked = parser.parse_args()
    if asked.scheme:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        print(json.dumps(measure(asked.scheme, Shape(**json.loads(asked.shape)), asked.gradients)))
        return
    if asked.json is None:
        parser.error("--json FILE is required")
    shape = Shape(**{field.name: getattr(asked, field.name) for field in fields(Shape)})
    if asked.quick:
        shape = replace(
            shape, trunk=800, steps=8, group=4, reply=30, hidden=128, layers=2, vocabulary=1024, segment=256
        )
    found = {**about(shape, asked.threads), **figures(shape, asked.only, asked.threads, compare=asked.compare)}
    if asked.peak_tflops is not None:
        found.update({f"{name}_mfu": found[f"{name}_tflops_per_s"] / asked.peak_tflops for name in asked.only})
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Times the sampling of one trajectory's replies: transformers' `generate`, the shared-trunk decoder, and vLLM.

    python benchmarks/rollout.py --json rollout.json [--quick] [--trunk 4000 --steps 25 --group 8 --reply 60 ...]

`generate`: one call a step with its prompt repeated `group` times, as trl does without vLLM but without padding prompts
of other steps. `--sampled` of the steps are timed, the middles of as many equal ranges of the trunk, and multiplied
(`generate_sampled_steps` says how many). `decoder`: all steps' replies at once, in full. Each runs in a process of its
own, sampling at temperature 1 with no stop token, so both draw `steps * group * reply` tokens. CPU seconds on a CPU,
seconds by the clock on a GPU. `greedy_equal`: whether both give the same greedy replies at the first and last step;
`largest_logp_gap`: between the sampler's and the trainer's log-probabilities. `vllm`: see `rollout_vllm.py`; left out
without `--vllm-python FILE`, the interpreter of an environment that `make vllm` made.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "envs")]

import torch  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.rollout_vllm import run_vllm  # noqa: E402
from benchmarks.tree import about, resident_mb  # noqa: E402
from benchmarks.tree_schemes import Shape, make_model, make_tree, middles  # noqa: E402
from srl_swe.learning.rollout.decoder import generate  # noqa: E402
from srl_swe.learning.rollout.sampling import SamplingParams  # noqa: E402
from srl_swe.learning.tree import Branch, Tree, logprobs  # noqa: E402


def run_generate(model: nn.Module, tree: Tree, shape: Shape) -> dict[str, Any]:
    """Time transformers' generate on some of the steps."""
    steps = middles(shape.steps, min(shape.sampled, shape.steps))

    def work() -> None:
        for step in steps:
            _generate(model, tree, step, shape.group, shape.reply, greedy=False)

    found = _timed(work, shape.device)
    scale = shape.steps / len(steps)
    return {"seconds": found["seconds"] * scale, "peak_mb": found["peak_mb"], "sampled_steps": len(steps)}


def run_decoder(model: nn.Module, tree: Tree, shape: Shape) -> dict[str, Any]:
    """Time the decoder on all steps, then compare with generate and with the trainer."""
    drawn: list[Any] = []
    sampling = SamplingParams(max_new_tokens=shape.reply)
    found = _timed(
        lambda: drawn.extend(generate(model, [tree], group_size=shape.group, sampling=sampling)), shape.device
    )
    branches = tuple(Branch(step=k, token_ids=r.token_ids) for k in (0, shape.steps - 1) for r in drawn[0][k][:2])
    scored = logprobs(model, [replace(tree, branches=branches)], max_tokens=shape.segment)[0].branches
    replies = [r for k in (0, shape.steps - 1) for r in drawn[0][k][:2]]
    gap = max(
        abs(a - b)
        for reply, logps in zip(replies, scored, strict=True)
        for a, b in zip(reply.logps, logps.tolist(), strict=True)
    )
    ends = Tree(trunk=tree.trunk, steps=(tree.steps[0], tree.steps[-1]))
    greedy = generate(model, [ends], group_size=1, sampling=replace(sampling, greedy=True))[0]
    expected = [_generate(model, ends, k, 1, shape.reply, greedy=True)[0] for k in range(2)]
    same = all(list(greedy[k][0].token_ids) == expected[k] for k in range(2))
    return {**found, "largest_logp_gap": gap, "greedy_equal": same}


def _generate(model: nn.Module, tree: Tree, step: int, rows: int, tokens: int, *, greedy: bool) -> list[list[int]]:
    prompt = torch.tensor(tree.prompt(step), device=next(model.parameters()).device)[None].expand(rows, -1)
    made = model.eval().generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=tokens,
        do_sample=not greedy,
        pad_token_id=0,
        eos_token_id=None,
    )
    replies: list[list[int]] = made[:, prompt.shape[1] :].tolist()
    return replies


def _timed(work: Callable[[], object], device: str) -> dict[str, float]:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held, start = torch.cuda.memory_allocated(), time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken = time.perf_counter() - start
        return {"seconds": taken, "peak_mb": (torch.cuda.max_memory_allocated() - held) / 2**20}
    held, start = resident_mb(), time.process_time()
    work()
    taken = time.process_time() - start
    return {"seconds": taken, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - held}


SAMPLERS: dict[str, Callable[[nn.Module, Tree, Shape], dict[str, Any]]] = {
    "generate": run_generate,
    "decoder": run_decoder,
}


def in_a_process(name: str, shape: Shape, threads: int) -> dict[str, Any]:
    """Run one sampler in a fresh process."""
    command = [sys.executable, __file__, "--sampler", name, "--shape", json.dumps(asdict(shape))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {found['seconds']:.1f} s, {found['peak_mb']:.0f} MB", file=sys.stderr)
    return found


def _vllm(shape: Shape, python: str) -> dict[str, Any]:
    tree = replace(make_tree(shape), branches=())
    found = run_vllm(
        make_model(shape), tree, python=python, group=shape.group, reply=shape.reply, segment=shape.segment
    )
    print(f"vllm: {found['seconds']:.1f} s, {found['peak_mb']:.0f} MB", file=sys.stderr)
    return found


def main() -> None:
    """Parse the arguments, measure, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--quick", action="store_true", help="a small shape: seconds, to see that it runs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vllm-python", metavar="FILE", help="also time vLLM, from this environment")
    parser.add_argument("--sampler", choices=list(SAMPLERS), help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    for field in fields(Shape):
        kind = str if isinstance(field.default, str) else int
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    asked = parser.parse_args()
    if asked.sampler:
        shape = Shape(**json.loads(asked.shape))
        tree = replace(make_tree(shape), branches=())
        with torch.no_grad():
            print(json.dumps(SAMPLERS[asked.sampler](make_model(shape), tree, shape)))
        return
    if asked.json is None:
        parser.error("--json FILE is required")
    shape = Shape(**{field.name: getattr(asked, field.name) for field in fields(Shape)})
    if asked.quick:
        shape = replace(shape, trunk=800, steps=8, group=4, reply=30, hidden=128, layers=2, vocabulary=1024)
    found = about(shape, asked.threads)
    for name in SAMPLERS:
        found.update({f"{name}_{key}": value for key, value in in_a_process(name, shape, asked.threads).items()})
    if asked.vllm_python:
        measured = _vllm(shape, asked.vllm_python)
        found.update({f"vllm_{key}": value for key, value in measured.items()})
        found["ratio.generate_over_vllm_seconds"] = found["generate_seconds"] / found["vllm_seconds"]
    found["reply_tokens"] = shape.steps * shape.group * shape.reply
    found["ratio.generate_over_decoder_seconds"] = found["generate_seconds"] / found["decoder_seconds"]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

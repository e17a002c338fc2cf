"""Times our whole training step for a model of any shape, on any device: rollout, reward, loss, backward, optimiser.

    python benchmarks/step_shapes.py --json FILE [--device cuda --dtype bfloat16]
                                     [--hidden 896 --layers 24 --heads 14 --kv-heads 2 --head-dim 64 ...]

A Qwen3 of the shape with random weights and the demo's vocabulary makes `--updates` updates of SrlTrainer on the demo's
logs (after `--warmup` more, which compile the kernels), learning rate 0, shared-trunk decoder, trajectory trees. No
reply of such a model is well-formed, so here, and only here, a reply's whole text is compared with the expert's action:
groups then have deviations, and nothing is left out of the loss. Every reply runs to `--reply` tokens, having no end.
Seconds are for one update: by the clock on a GPU, CPU seconds on a CPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "envs")]

import torch  # noqa: E402

from benchmarks.step_trainers import Bench, Clock, TimedScorer, device_seconds, make_bench, train_ours  # noqa: E402
from benchmarks.tree import about  # noqa: E402
from benchmarks.tree_schemes import Shape, make_model  # noqa: E402
from srl_swe.conversations import ReplyScorer  # noqa: E402
from srl_swe.learning.groups import Group  # noqa: E402
from srl_swe.learning.tiny import TinyModel, make_tiny_model  # noqa: E402
from srl_swe_envs.rewards.score import StepReward  # noqa: E402
from srl_swe_envs.rewards.similarity import similarity  # noqa: E402

CONFIG = ROOT / "examples" / "demo.toml"


@dataclass(frozen=True, slots=True)
class WholeText:
    """Scores a reply by the similarity of its whole text to the expert's action."""

    scorer: ReplyScorer

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """See ReplyScorer."""
        wanted = self.scorer.expert(conversation, step)
        return tuple(StepReward.scored(similarity(reply, wanted)) for reply in replies)

    def expert(self, conversation: str, step: int) -> str:
        """See ReplyScorer."""
        return self.scorer.expert(conversation, step)


def figures(shape: Shape, asked: argparse.Namespace) -> dict[str, Any]:
    """The seconds of an update by phase, its tokens, and the memory they took."""
    on_gpu = shape.device.startswith("cuda")
    with tempfile.TemporaryDirectory() as name:
        bench = _bench(Path(name), asked, on_gpu=on_gpu)
        model = make_model(replace(shape, vocabulary=len(bench.chat.tokenizer)))
        seconds, _, groups = train_ours(bench, model)
    found: dict[str, Any] = {**seconds, **_tokens(bench, groups)}
    found["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    found["rollout_tokens_per_s"] = found["reply_tokens"] / seconds["rollout_seconds"]
    found["loss_tokens_per_s"] = found["tree_tokens"] / seconds["loss_seconds"]
    if on_gpu:
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def _bench(folder: Path, asked: argparse.Namespace, *, on_gpu: bool) -> Bench:
    logs = (path.read_text() for path in sorted((ROOT / "trajectories/examples/train").rglob("*")) if path.is_file())
    make_tiny_model(folder / "words", logs, TinyModel(hidden=16, layers=1, heads=1), seed=0)
    sets = (
        f"srl.batch={asked.batch}", f"srl.replies={asked.group}", f"rollout.max_reply_tokens={asked.reply}",
        "srl.epsilon=0.0", f"srl.steps_per_trunk={asked.steps_per_trunk}", f"tree.tokens_per_pass={asked.segment}",
    )  # fmt: skip
    made = make_bench(CONFIG, folder / "words", folder / "out", overrides=sets, updates=asked.updates)
    clock = Clock(now=device_seconds) if on_gpu else Clock()
    scorer = TimedScorer(WholeText(made.scorer.scorer), clock)
    return replace(made, scorer=scorer, warmup=asked.warmup, device=asked.device)


def _tokens(bench: Bench, groups: Sequence[Group]) -> dict[str, float]:
    """Means over the timed updates: sampled tokens, tokens that a row per reply would forward, tokens of the trees."""
    size = bench.settings.srl.batch
    pairs = list(zip(bench.steps, groups, strict=True))[bench.warmup * size :]
    replies = sum(len(reply.token_ids) for _, group in pairs for reply in group.replies)
    prompts = sum(len(bench.prompt(one)) * len(group.replies) for one, group in pairs)
    trunks = 0
    for number in range(bench.updates):
        ends: dict[int, int] = {}
        for one, _ in pairs[number * size : (number + 1) * size]:
            ends[one.trunk] = max(ends.get(one.trunk, 0), len(bench.prompt(one)))
        trunks += sum(ends.values())
    counts = {"reply_tokens": replies, "row_tokens": replies + prompts, "tree_tokens": replies + trunks}
    return {name: count / bench.updates for name, count in counts.items()}


def main() -> None:
    """Parse the arguments, measure, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16, help="steps an update")
    parser.add_argument("--steps-per-trunk", type=int, default=8)
    for field in fields(Shape):
        if field.name not in ("trunk", "steps", "vocabulary", "sampled"):
            kind = str if isinstance(field.default, str) else int
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shape = Shape(**{field.name: getattr(asked, field.name) for field in fields(Shape) if hasattr(asked, field.name)})
    left = {"shape.trunk", "shape.steps", "shape.vocabulary", "shape.sampled"}
    where = {name: value for name, value in about(shape, asked.threads).items() if name not in left}
    found = {**where, "updates": asked.updates, "batch": asked.batch, **figures(shape, asked)}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

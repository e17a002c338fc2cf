"""What a run writes and shows while it trains."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from ..learning.episode_groups import SampledEpisode
from ..learning.groups import Group, SampledReply
from .folder import mark_complete, write_whole
from .ranks import wait

_SHOWN = (
    "reward/mean",
    "reply/malformed",
    "episode/malformed",
    "episode/turns",
    "expert/nll",
    "eval_reward",
    "eval_malformed",
    "eval_resolved",
)


class CompleteCheckpoints(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for us
    """Marks checkpoints that every rank wrote its part of."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        wait()
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Appends every log to `metrics.jsonl`; on a resume, lines of steps that are done again
    are dropped from it and from the samples file."""

    def __init__(self, path: Path, samples: Path) -> None:
        self.path = path
        self.samples = samples

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if state.is_world_process_zero:
            keep_lines_up_to(self.path, state.global_step)
            keep_lines_up_to(self.samples, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if state.is_world_process_zero and logs:
            finite = {name: value for name, value in logs.items() if not _not_a_number(value)}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, "time": round(time.time(), 3), **finite}) + "\n")


class Progress(TrainerCallback):  # type: ignore[misc]
    """A bar with the reward on a terminal, a line per log elsewhere."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if state.is_world_process_zero and sys.stderr.isatty():
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.stage, dynamic_ncols=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See TrainerCallback."""
        shown = {name: f"{logs[name]:.3f}" for name in _SHOWN if logs and name in logs}
        if not shown or not state.is_world_process_zero:
            return
        if self.bar is not None:
            self.bar.set_postfix(shown)
        else:
            values = "  ".join(f"{name} {value}" for name, value in shown.items())
            print(f"{self.stage} step {state.global_step}/{state.max_steps}  {values}", flush=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if self.bar is not None:
            self.bar.close()


class SamplesFile:
    """Appends sampled replies with what the expert did, their rewards and their group to `samples.jsonl`.

    Of an episode the reply is the transcript, with how it ended instead of the expert's action.
    """

    def __init__(self, path: Path, expert: Callable[[str, int], str], *, groups_per_step: int = 2) -> None:
        self.path = path
        self.expert = expert
        self.groups_per_step = groups_per_step

    def __call__(self, kind: str, step: int, groups: Sequence[Group]) -> None:
        """Keep the first groups of one training step (or held-out measurement)."""
        with self.path.open("a", encoding="utf-8") as file:
            for group in groups[: self.groups_per_step * (1 if kind == "train" else 8)]:
                for line in self._lines(kind, step, group):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _lines(self, kind: str, step: int, group: Group) -> list[dict[str, Any]]:
        target = group.trunk.targets[group.target]
        name = f"{group.trunk.conversation}#{target.step}"
        return [
            {
                "kind": kind,
                "step": step,
                "group": name,
                "reply": reply.text,
                **self._beside(reply, group.trunk.conversation, target.step),
                "reward": None if math.isnan(reward.value) else reward.value,
                "similarity": reward.similarity,
                "status": reward.status,
                "reason": reward.reason,
                "tokens": len(reply.token_ids),
            }
            for reply, reward in zip(group.replies, group.rewards, strict=True)
        ]

    def _beside(self, reply: SampledReply, conversation: str, step: int) -> dict[str, Any]:
        if isinstance(reply, SampledEpisode):
            return {"stop": reply.stop, "turns": len(reply.turns), "flags": list(reply.flags)}
        return {"expert": self.expert(conversation, step)}


def keep_lines_up_to(path: Path, step: int) -> None:
    """Drop the JSON lines of a file whose `step` is later: they will be written again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:  # the last line of a killed run may be cut off
            continue
    write_whole(path, "".join(kept))


def _not_a_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)

"""What SFT and SRL share: a training step over trajectory trees inside transformers' Trainer.

Overridden points of `Trainer`: the data loader (a batch is a pure function of the seed and the step's number, so the
loader only counts), `training_step` (forward and backward of the batch's trees), `evaluate` (held-out reward) and
`log` (metrics recorded during a step). Optimizer, schedule, clipping, checkpoints and distribution stay the Trainer's.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer

from ..batches import StepOrder
from ..chat_tokens import ChatTokenizer, Trunk
from ..flat import flat_loss_backward
from ..groups import Group
from ..heldout import Heldout, HeldoutResult
from ..rollout.sampler import ReplySampler
from ..settings import TreeSettings
from ..tree.engine import loss_backward
from ..tree.loss import LossConfig, LossSums, Normaliser
from ..tree.planner import drop_still
from ..tree.types import Tree
from .distribution import Distribution, distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a trainer learns from and is measured on."""

    trunks: tuple[Trunk, ...]
    order: StepOrder
    heldout: Heldout
    sampler: ReplySampler
    chat: ChatTokenizer
    tree: TreeSettings


class TreeTraining(Trainer):  # type: ignore[misc]  # transformers is untyped for us
    """A Trainer whose batches are trees; subclasses give `trees_of_step`."""

    data: TrainingData
    loss_config: LossConfig
    keep_samples: Callable[[str, int, Sequence[Group]], None]
    """Called with kind, training step and scored groups."""
    temperature: float = 1.0
    """Of the sampled replies; the loss divides logits by it as the sampler did."""

    def trees_of_step(self, step: int) -> list[Tree]:
        """This rank's trees of a training step, branches with zero advantage included."""
        raise NotImplementedError

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Counts training steps; the batch itself is made in `training_step`."""
        return DataLoader([{"step": step} for step in range(self.args.max_steps)], batch_size=1, collate_fn=list)  # type: ignore[arg-type]

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Make the batch of the current step and add its gradients; gives the detached loss of the whole batch."""
        model.train()
        spread = distribution(model, self.accelerator)
        with self.sampling(spread):
            trees = self.trees_of_step(self.state.global_step)
        began = time.perf_counter()
        add_gradients = loss_backward if self.data.tree.enabled else flat_loss_backward
        mine = add_gradients(
            spread.model,
            [drop_still(tree) for tree in trees],
            loss=self.loss_config,
            normaliser=sum(gather_object([Normaliser.of(trees)]), Normaliser()),
            max_tokens=self.data.tree.tokens_per_pass,
            temperature=self.temperature,
            backward=spread.backward,
            lockstep=spread.lockstep,
            scale=spread.scale,
        )
        sums = sum(gather_object([mine]), LossSums())
        if sums.tokens or sums.expert_tokens:  # else no rank has a gradient, and the optimizer passes over all weights
            spread.reduce()
        self.record("time/update_s", time.perf_counter() - began)
        self._record_sums(sums)
        return torch.tensor(sums.loss, device=self.args.device)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Held-out figures of the current model, see `measured`."""
        was_training = self.model.training
        self.model.eval()
        began = time.perf_counter()
        with self.sampling(distribution(self.model_wrapped, self.accelerator)):
            metrics = self.measured()
        metrics["eval_seconds"] = time.perf_counter() - began
        self.model.train(was_training)
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def sampling(self, spread: Distribution) -> AbstractContextManager[Any]:
        """Inside, this rank can sample as it likes."""
        return spread.whole() if self.data.sampler.forwards_model else nullcontext()

    def measured(self) -> dict[str, float]:
        """Held-out reward: `eval_...` sampled, `eval_greedy_...` greedy."""
        return heldout_figures(self.data, self.model, self.accelerator, self._keep_heldout)

    def _keep_heldout(self, kind: str, groups: Sequence[Group]) -> None:
        self.keep_samples(kind, self.state.global_step, groups)

    def record(self, name: str, value: float) -> None:
        """Remember a metric until the next `log`, which reports the mean."""
        if not hasattr(self, "_recorded"):
            self._recorded: dict[str, list[float]] = defaultdict(list)
        self._recorded[name].append(value)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report the means of what was recorded since the last time."""
        if not any(name.startswith("eval_") for name in logs):
            recorded = getattr(self, "_recorded", {})
            logs = {**logs, **{name: sum(values) / len(values) for name, values in recorded.items()}}
            recorded.clear()
        Trainer.log(self, logs, start_time)

    def _record_sums(self, sums: LossSums) -> None:
        if sums.tokens:
            self.record("policy/entropy", sums.mean_entropy)
            self.record("policy/ratio", sums.ratio / sums.tokens)
            self.record("policy/clipped", (sums.clipped_low + sums.clipped_high) / sums.tokens)
        if sums.compared_tokens:
            self.record("policy/sampler_gap", sums.mean_sampler_gap)
            self.record("policy/sampler_gap_max", sums.largest_sampler_gap)
        if sums.expert_tokens:
            self.record("expert/nll", sums.mean_expert_nll)


def heldout_figures(
    data: TrainingData, model: Any, accelerator: Any, keep: Callable[[str, Sequence[Group]], None]
) -> dict[str, float]:
    """Held-out reward of a model over all ranks: `eval_...` sampled, `eval_greedy_...` greedy."""
    share = data.heldout.share(accelerator.process_index, accelerator.num_processes)
    metrics: dict[str, float] = {}
    for prefix, greedy in (("eval_", False), ("eval_greedy_", True)):
        result, groups = share.measure(data.sampler, model, greedy=greedy)
        total = sum(gather_object([result]), HeldoutResult())
        metrics |= {f"{prefix}{name}": value for name, value in total.metrics().items()}
        if accelerator.is_main_process:
            keep("greedy" if greedy else "heldout", groups)
    return metrics

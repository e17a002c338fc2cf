"""SRL with replies sampled beside training: trl's AsyncGRPOTrainer (trl 1.16) fed by `rollout.beside.GroupWorker`.

Loss, packing and attention are trl's there: token mean, ratio against the sampler's log-probabilities, samples of one
trajectory folded into one row and read by FlashAttention 3 ("tree_fa3"), which needs CUDA.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import Trainer
from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer

from srl_swe_envs.errors import ConfigError

from ..groups import Group
from ..rollout.beside import GroupSource, GroupWorker, PolicyCopy
from ..settings import SrlSettings
from .tree_training import TrainingData, heldout_figures


def refuse_asynchronous(settings: SrlSettings, *, ranks: int) -> None:
    """Raise ConfigError where sampling beside training can't run, or would not do what the settings say."""
    if settings.aggregation != "per_token" or settings.expert_weight:
        raise ConfigError("srl.asynchronous: trl's loss is a mean over tokens; set srl.aggregation = 'per_token' and "
                          "srl.expert_weight = 0")  # fmt: skip
    if ranks > 1:
        raise ConfigError("srl.asynchronous: one training process only; several share a batch without it")
    if not torch.cuda.is_available():
        raise ConfigError("srl.asynchronous: trl's trainer packs for FlashAttention 3, which needs a CUDA device")
    if importlib.util.find_spec("kernels") is None:
        raise ConfigError("srl.asynchronous: FlashAttention 3 comes by the package 'kernels': pip install kernels")


class AsyncSrlTrainer(AsyncGRPOTrainer):  # type: ignore[misc]  # trl is untyped for us
    """AsyncGRPOTrainer over groups of replies to step instances, measured on held-out steps like the others."""

    def __init__(
        self,
        *,
        start: str,
        policy: Any,
        args: AsyncGRPOConfig,
        data: TrainingData,
        source: GroupSource,
        keep_samples: Callable[[str, int, Sequence[Group]], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`start`: directory or hub id of the model to train. `policy`: the same model once more, from which replies
        are sampled; `changed` is called when it has new weights."""
        self.data = data
        self.keep_samples = keep_samples
        self.policy = PolicyCopy(policy, changed)
        every, args.eval_strategy = args.eval_strategy, "no"  # it is measured without a data set
        super().__init__(
            model=start,
            args=args,
            train_dataset=Dataset.from_dict({"prompt": [""]}),
            processing_class=data.chat.tokenizer,
            rollout_worker=GroupWorker(source, self.policy, keep=self._keep_groups),
            weight_transfer=self.policy,
        )
        self.args.eval_strategy = every
        self.policy.model.to(self.accelerator.device)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Held-out reward of the policy's copy, which has the weights of the last update."""
        began = time.perf_counter()
        with self.policy.held() as model:
            metrics = heldout_figures(self.data, model, self.accelerator, self._keep_heldout)
        metrics["eval_seconds"] = time.perf_counter() - began
        Trainer.log(self, metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _keep_groups(self, groups: Sequence[Group]) -> None:
        self.keep_samples("train", self.state.global_step, groups)

    def _keep_heldout(self, kind: str, groups: Sequence[Group]) -> None:
        self.keep_samples(kind, self.state.global_step, groups)

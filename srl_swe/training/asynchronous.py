"""The stage `srl` with replies sampled beside training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trl.experimental.async_grpo import AsyncGRPOConfig

from srl_swe_envs.errors import ConfigError

from ..learning.rollout.beside import GroupSource
from ..learning.trainers.asynchronous import AsyncSrlTrainer, refuse_asynchronous
from ..learning.trainers.tree_training import TrainingData
from .callbacks import SamplesFile
from .ranks import count
from .settings import RunSettings
from .stage import Stage


def refuse(settings: RunSettings) -> None:
    """Raise ConfigError when the run wants `srl.asynchronous` where it can't be."""
    if settings.srl.asynchronous and "srl" in settings.stages:
        if settings.model.lora.rank:
            raise ConfigError("srl.asynchronous trains all weights: set model.lora.rank = 0")
        refuse_asynchronous(settings.srl, ranks=count())


def asynchronous_trainer(
    stage: Stage, arguments: Mapping[str, Any], data: TrainingData, samples: SamplesFile
) -> AsyncSrlTrainer:
    """A trainer of a loaded model's weights; the loaded model itself becomes the copy that replies are sampled from.

    A micro-batch is what `steps_per_trunk` groups give, an update as many of them as make `srl.batch` groups.
    """
    settings, loaded = stage.settings, stage.loaded
    srl = settings.srl
    parts = max(1, srl.batch // srl.steps_per_trunk)
    updates_done = int(stage.checkpoint.name.rpartition("-")[2]) if stage.checkpoint else 0
    args = AsyncGRPOConfig(
        **{**arguments, "gradient_accumulation_steps": parts},
        per_device_train_batch_size=srl.replies * min(srl.steps_per_trunk, srl.batch),
        num_generations=srl.replies,
        temperature=settings.rollout.temperature,
        top_p=settings.rollout.top_p,
        max_completion_length=settings.rollout.max_reply_tokens,
        epsilon=srl.clip,
        epsilon_high=srl.clip_higher,
        token_budget=0,
        max_staleness=srl.max_staleness,
        dtype=settings.model.weights,
    )
    source = GroupSource(
        trunks=data.trunks,
        order=data.order,
        sampler=data.sampler,
        scorer=stage.data.scorer,
        settings=srl,
        seed=settings.seed,
        first=updates_done * parts,
    )
    return AsyncSrlTrainer(
        start=loaded.model.name_or_path,
        policy=loaded.model,
        args=args,
        data=data,
        source=source,
        keep_samples=samples,
        changed=stage.rollouts.outdated,
    )

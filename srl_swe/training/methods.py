"""The trainer of each method, as a run's settings want it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback, get_reporting_integration_callbacks
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from trl import GRPOConfig

from srl_swe_envs.errors import ConfigError

from ..learning.batches import StepOrder
from ..learning.heldout import Heldout
from ..learning.heldout_episodes import HeldoutEpisodes
from ..learning.rollout.episodes import EpisodePlayer
from ..learning.settings import GroupSettings, StageSettings
from ..learning.trainers.rlvr import RlvrTrainer
from ..learning.trainers.sft import SftTrainer
from ..learning.trainers.srl import SrlTrainer
from ..learning.trainers.tree_training import TrainingData
from .callbacks import CompleteCheckpoints, MetricsFile, Progress, SamplesFile
from .episodes import EpisodeSets
from .ranks import on_cpu
from .settings import RunSettings
from .stage import Stage, StageTrainer

CHOICES: Mapping[str, str] = {"sft": "eval_reward", "srl": "eval_reward", "rlvr": "eval_choice"}
"""The held-out figure that chooses a stage's best checkpoint."""
_SCHEDULES: Mapping[str, str] = {"constant": "constant_with_warmup"}
"""transformers' names where they are others; its `constant` has no warm-up."""


def check_reports(names: Sequence[str]) -> None:
    """Whether transformers can report to all of these; raises ConfigError."""
    try:
        for callback in get_reporting_integration_callbacks(sorted({*names} - {"all", "none"})):
            callback()
    except (ValueError, RuntimeError, ImportError) as error:
        raise ConfigError(f"report_to: {error}") from error


def make_trainer(stage: Stage) -> StageTrainer:
    """The trainer of a stage's method, with everything that watches it."""
    samples = SamplesFile(stage.folder / "samples.jsonl", stage.data.scorer.expert)
    trainer = _TRAINERS[stage.name](stage, samples)
    _watch(trainer, stage, samples)
    return trainer


def _sft(stage: Stage, samples: SamplesFile) -> StageTrainer:
    sft = stage.settings.sft
    data = _training(stage, _steps(stage, sft.steps_per_trunk))
    arguments = TrainingArguments(**_arguments(stage, sft, data.order))
    trainer: StageTrainer = SftTrainer(
        model=stage.loaded.model, args=arguments, data=data, settings=sft, keep_samples=samples
    )
    return trainer


def _srl(stage: Stage, samples: SamplesFile) -> StageTrainer:
    srl = stage.settings.srl
    data = _training(stage, _steps(stage, srl.steps_per_trunk))
    if srl.asynchronous:
        from .asynchronous import asynchronous_trainer  # trl's part needs packages that nothing else here needs

        return asynchronous_trainer(stage, _arguments(stage, srl, data.order), data, samples)
    trainer: StageTrainer = SrlTrainer(
        model=stage.loaded.model,
        args=_group_arguments(stage, srl, data.order),
        data=data,
        scorer=stage.data.scorer,
        settings=srl,
        keep_samples=samples,
    )
    return trainer


def _rlvr(stage: Stage, samples: SamplesFile) -> StageTrainer:
    assert stage.sets is not None
    rlvr = stage.settings.rlvr
    tasks = StepOrder(target_counts=(1,) * len(stage.sets.train), cap=1, seed=stage.settings.seed)
    data = _training(stage, tasks)
    player, heldout = _players(stage.sets, data, stage.settings)
    trainer: StageTrainer = RlvrTrainer(
        model=stage.loaded.model,
        args=_group_arguments(stage, rlvr, data.order),
        data=data,
        player=player,
        heldout=heldout,
        settings=rlvr,
        keep_samples=samples,
    )
    return trainer


_TRAINERS: Mapping[str, Callable[[Stage, SamplesFile], StageTrainer]] = {"sft": _sft, "srl": _srl, "rlvr": _rlvr}


def _training(stage: Stage, order: StepOrder) -> TrainingData:
    chat = stage.loaded.chat
    return TrainingData(
        trunks=stage.data.train,
        order=order,
        heldout=Heldout(trunks=stage.data.heldout, scorer=stage.data.scorer, chat=chat),
        sampler=stage.rollouts.sampler(chat),
        chat=chat,
        tree=stage.settings.tree,
    )


def _steps(stage: Stage, cap: int) -> StepOrder:
    """The order of the trajectories' steps."""
    counts = tuple(len(trunk.targets) for trunk in stage.data.train)
    return StepOrder(target_counts=counts, cap=cap, seed=stage.settings.seed)


def _players(sets: EpisodeSets, training: TrainingData, settings: RunSettings) -> tuple[EpisodePlayer, HeldoutEpisodes]:
    """What plays the episodes that are learned, and the held-out ones, whose reward is always the outcome."""
    player = EpisodePlayer(
        episodes=sets.train,
        sampler=training.sampler,
        chat=training.chat,
        settings=settings.rlvr.episodes,
        max_reply_tokens=settings.rollout.max_reply_tokens,
        by_outcome=settings.rlvr.reward == "outcome",
    )
    graded = replace(player, episodes=sets.heldout, by_outcome=True)
    return player, HeldoutEpisodes(player=graded, tasks=tuple(range(len(sets.heldout))))


def _group_arguments(stage: Stage, method: GroupSettings, order: StepOrder) -> GRPOConfig:
    """trl's arguments of a method that learns from groups."""
    rollout = stage.settings.rollout
    return GRPOConfig(
        **_arguments(stage, method, order),
        per_device_train_batch_size=method.replies,
        num_generations=method.replies,
        beta=0.0,
        temperature=rollout.temperature,
        max_completion_length=rollout.max_reply_tokens,
    )


def _arguments(stage: Stage, method: StageSettings, order: StepOrder) -> dict[str, Any]:
    """Arguments of transformers' TrainingArguments that all methods share."""
    steps = method.max_steps or order.batches(method.epochs, method.batch)
    every = min(method.evaluate_every, steps)
    return {
        "output_dir": str(stage.folder),
        "max_steps": steps,
        "learning_rate": method.learning_rate,
        "lr_scheduler_type": _SCHEDULES.get(method.schedule, method.schedule),
        "warmup_steps": int(method.warmup * steps),
        "weight_decay": method.weight_decay,
        "max_grad_norm": method.max_grad_norm,
        "gradient_accumulation_steps": 1,
        "use_cpu": on_cpu(),
        "gradient_checkpointing": stage.settings.model.gradient_checkpointing,
        "bf16": stage.settings.model.precision == "mixed",
        "logging_steps": 1,
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": method.keep_checkpoints,
        "metric_for_best_model": CHOICES[stage.name],
        "greater_is_better": True,
        "ignore_data_skip": True,
        "remove_unused_columns": False,
        "report_to": list(stage.settings.report_to),
        "seed": stage.settings.seed,
        "disable_tqdm": True,
    }


def _watch(trainer: StageTrainer, stage: Stage, samples: SamplesFile) -> None:
    """Write and show what the stage logs, in its own folder alone."""
    for unwanted in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(unwanted)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.logging_dir = str(stage.folder / "tensorboard")
    metrics = MetricsFile(stage.folder / "metrics.jsonl", samples.path)
    for callback in (CompleteCheckpoints(), metrics, Progress(stage.name), *_followers(stage)):
        trainer.add_callback(callback)


def _followers(stage: Stage) -> Sequence[TrainerCallback]:
    """What brings new weights to the replies' engine; replies sampled beside training follow their own copy."""
    if stage.name == "srl" and stage.settings.srl.asynchronous:
        return ()
    return stage.rollouts.callbacks(samples_to_train=stage.name != "sft")

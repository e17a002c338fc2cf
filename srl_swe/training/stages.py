"""One stage of a run: a trainer over the run's trunks, from a model directory to its best checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainingArguments, set_seed
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from trl import GRPOConfig

from ..conversations import ReplyScorer
from ..learning.batches import StepOrder
from ..learning.chat_tokens import Trunk
from ..learning.heldout import Heldout
from ..learning.heldout_episodes import HeldoutEpisodes
from ..learning.models import LoadedModel, load_model
from ..learning.rollout.engines import Rollouts
from ..learning.rollout.episodes import EpisodePlayer
from ..learning.settings import GroupSettings, RlvrSettings, SftSettings, SrlSettings, StageSettings
from ..learning.trainers.rlvr import RlvrTrainer
from ..learning.trainers.sft import SftTrainer
from ..learning.trainers.srl import SrlTrainer
from ..learning.trainers.tree_training import TrainingData
from ..learning.tree.model import prepare
from .callbacks import CompleteCheckpoints, MetricsFile, Progress, SamplesFile
from .episodes import EpisodeSets
from .folder import last_checkpoint, write_json
from .pivots import pivot_trunks
from .ranks import device, first, on_cpu
from .settings import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageData:
    """Tokenized sets and the scorer, the same for all stages."""

    train: tuple[Trunk, ...]
    heldout: tuple[Trunk, ...]
    scorer: ReplyScorer
    open_episodes: Callable[[], AbstractContextManager[EpisodeSets]]
    """Opens the tasks of the stage `rlvr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """How a stage ended."""

    name: str
    model: str
    """Directory of the best checkpoint by held-out reward, the stage's start included."""
    best_step: int
    before: dict[str, float]
    after: dict[str, float]
    """Held-out figures of the start and of the best checkpoint."""


def run_stage(
    name: str,
    folder: Path,
    start: str,
    data: StageData,
    settings: RunSettings,
    rollouts: Rollouts,
    before: dict[str, float] | None = None,
) -> StageResult:
    """Train one stage, or give the result of one that ended before.

    `before`: held-out figures of the start where they are known, as the stage before measured them.
    """
    done = folder / "stage.json"
    if text := first(lambda: _read(done)):
        return StageResult(**json.loads(text))
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = first(lambda: last_checkpoint(folder))
    set_seed(settings.seed)  # new adapters are the same on every rank and in every run
    loaded = load_model(start, dtype=settings.model.weights, lora=settings.model.lora)
    if settings.tree.enabled:
        prepare(loaded.model, backend=settings.tree.attention)
    if name == "srl" and settings.srl.pivots.enabled:
        data = replace(data, train=_pivots(folder, loaded, data, settings, rollouts))
    with data.open_episodes() if name == "rlvr" else nullcontext() as sets:
        if sets is not None:
            _keep_tasks(folder, sets)
        trainer = _trainer(name, folder, loaded, data, settings, rollouts, sets, checkpoint)
        rollouts.follow(loaded.model)
        if before is None or _choice(name) not in before:
            before = _before(trainer, folder)
        if checkpoint and isinstance(trainer, RlvrTrainer):
            trainer.resume_episodes(checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    result = _result(name, folder, start, trainer, before)
    first(lambda: write_json(done, {field: getattr(result, field) for field in StageResult.__slots__}))
    return result


def _keep_tasks(folder: Path, sets: EpisodeSets) -> None:
    """Name the tasks that episodes are learned from, for whoever evaluates the model."""
    tasks = sorted({task.id for task in sets.learned})
    repositories = sorted({task.repo for task in sets.learned} - {""})
    first(lambda: write_json(folder / "tasks.json", {"tasks": tasks, "repositories": repositories}))


def _pivots(
    folder: Path, loaded: LoadedModel, data: StageData, settings: RunSettings, rollouts: Rollouts
) -> tuple[Trunk, ...]:
    """The training trunks with the steps alone that the stage's start can learn from."""
    loaded.model.to(device())
    loaded.model.eval()
    rollouts.follow(loaded.model)
    sampler = rollouts.sampler(loaded.chat)
    pivots = settings.srl.pivots
    return pivot_trunks(folder, loaded.model, data.train, sampler, data.scorer, pivots, seed=settings.seed)


def _before(trainer: Any, folder: Path) -> dict[str, float]:
    """Held-out figures of the stage's start, measured once."""
    kept = folder / "before.json"
    if text := first(lambda: _read(kept)):
        found: dict[str, float] = json.loads(text)
        return found
    before: dict[str, float] = trainer.evaluate()
    first(lambda: write_json(kept, before))
    return before


def _read(path: Path) -> str:
    """The text of a file; empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _result(name: str, folder: Path, start: str, trainer: Any, before: dict[str, float]) -> StageResult:
    """The best checkpoint, or the start itself when nothing was better."""
    choice = _choice(name)
    measured = {
        int(entry["step"]): {key: value for key, value in entry.items() if key.startswith("eval_")}
        for entry in trainer.state.log_history
        if choice in entry
    }
    best = max(measured, key=lambda step: measured[step][choice], default=0)
    if best == 0 or measured[best][choice] <= before[choice]:
        return StageResult(name=name, model=start, best_step=0, before=before, after=before)
    checkpoint = str(folder / f"checkpoint-{best}")
    return StageResult(name=name, model=checkpoint, best_step=best, before=before, after=measured[best])


def _choice(name: str) -> str:
    """The held-out figure that chooses a stage's best checkpoint."""
    return "eval_choice" if name == "rlvr" else "eval_reward"


def _trainer(
    name: str,
    folder: Path,
    loaded: LoadedModel,
    data: StageData,
    settings: RunSettings,
    rollouts: Rollouts,
    sets: EpisodeSets | None,
    checkpoint: Path | None,
) -> Any:
    """A stage's trainer: a TreeTraining, or one like it."""
    stages: dict[str, SftSettings | SrlSettings | RlvrSettings]
    stages = {"sft": settings.sft, "srl": settings.srl, "rlvr": settings.rlvr}
    stage = stages[name]
    order = _order(stage, data, sets, settings.seed)
    training = TrainingData(
        trunks=data.train,
        order=order,
        heldout=Heldout(trunks=data.heldout, scorer=data.scorer, chat=loaded.chat),
        sampler=rollouts.sampler(loaded.chat),
        chat=loaded.chat,
        tree=settings.tree,
    )
    samples = SamplesFile(folder / "samples.jsonl", data.scorer.expert)
    trainer: Any
    if isinstance(stage, SftSettings):
        arguments = TrainingArguments(**_arguments(stage, folder, order, settings))
        trainer = SftTrainer(model=loaded.model, args=arguments, data=training, settings=stage, keep_samples=samples)
    elif isinstance(stage, SrlSettings) and stage.asynchronous:
        from .asynchronous import asynchronous_trainer  # trl's part needs packages that nothing else here needs

        trainer = asynchronous_trainer(
            loaded,
            _arguments(stage, folder, order, settings),
            training,
            settings,
            rollouts,
            samples,
            data.scorer,
            int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        )
    elif isinstance(stage, SrlSettings):
        trainer = SrlTrainer(
            model=loaded.model,
            args=_group_arguments(name, stage, folder, order, settings),
            data=training,
            scorer=data.scorer,
            settings=stage,
            keep_samples=samples,
        )
    else:
        assert sets is not None
        player, heldout = _players(sets, training, stage, settings)
        trainer = RlvrTrainer(
            model=loaded.model,
            args=_group_arguments(name, stage, folder, order, settings),
            data=training,
            player=player,
            heldout=heldout,
            settings=stage,
            keep_samples=samples,
        )
    beside = isinstance(stage, SrlSettings) and stage.asynchronous  # then the copy is followed, not the trainer's model
    followers = () if beside else rollouts.callbacks(samples_to_train=name != "sft")
    _watch(trainer, name, folder, samples, followers)
    return trainer


def _watch(trainer: Any, name: str, folder: Path, samples: SamplesFile, followers: Sequence[TrainerCallback]) -> None:
    """Write and show what the stage logs, in its own folder alone."""
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.logging_dir = str(folder / "tensorboard")
    metrics = MetricsFile(folder / "metrics.jsonl", samples.path)
    for added in (CompleteCheckpoints(), metrics, Progress(name), *followers):
        trainer.add_callback(added)


def _order(
    stage: SftSettings | SrlSettings | RlvrSettings, data: StageData, sets: EpisodeSets | None, seed: int
) -> StepOrder:
    """Steps of trajectories in their order, or tasks."""
    if isinstance(stage, RlvrSettings):
        assert sets is not None
        return StepOrder(target_counts=(1,) * len(sets.train), cap=1, seed=seed)
    counts = tuple(len(trunk.targets) for trunk in data.train)
    return StepOrder(target_counts=counts, cap=stage.steps_per_trunk, seed=seed)


def _players(
    sets: EpisodeSets, training: TrainingData, stage: RlvrSettings, settings: RunSettings
) -> tuple[EpisodePlayer, HeldoutEpisodes]:
    """What plays the episodes that are learned, and the held-out ones, whose reward is always the outcome."""
    player = EpisodePlayer(
        episodes=sets.train,
        sampler=training.sampler,
        chat=training.chat,
        settings=stage.episodes,
        max_reply_tokens=settings.rollout.max_reply_tokens,
        by_outcome=stage.reward == "outcome",
    )
    graded = replace(player, episodes=sets.heldout, by_outcome=True)
    return player, HeldoutEpisodes(player=graded, tasks=tuple(range(len(sets.heldout))))


def _group_arguments(
    name: str, stage: GroupSettings, folder: Path, order: StepOrder, settings: RunSettings
) -> GRPOConfig:
    """trl's arguments of a method that learns from groups."""
    return GRPOConfig(
        **{**_arguments(stage, folder, order, settings), "metric_for_best_model": _choice(name)},
        per_device_train_batch_size=stage.replies,
        num_generations=stage.replies,
        beta=0.0,
        temperature=settings.rollout.temperature,
        max_completion_length=settings.rollout.max_reply_tokens,
    )


def _arguments(stage: StageSettings, folder: Path, order: StepOrder, settings: RunSettings) -> dict[str, Any]:
    """Arguments of transformers' TrainingArguments that all methods share."""
    steps = stage.max_steps or max(1, math.ceil(stage.epochs * order.size / stage.batch))
    every = min(stage.evaluate_every, steps)
    return {
        "output_dir": str(folder),
        "max_steps": steps,
        "learning_rate": stage.learning_rate,
        "lr_scheduler_type": stage.schedule,
        "warmup_steps": int(stage.warmup * steps),
        "weight_decay": stage.weight_decay,
        "max_grad_norm": stage.max_grad_norm,
        "gradient_accumulation_steps": 1,
        "use_cpu": on_cpu(),
        "gradient_checkpointing": settings.model.gradient_checkpointing,
        "bf16": settings.model.precision == "mixed",
        "logging_steps": 1,
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": stage.keep_checkpoints,
        "metric_for_best_model": "eval_reward",
        "greater_is_better": True,
        "ignore_data_skip": True,
        "remove_unused_columns": False,
        "report_to": list(settings.report_to),
        "seed": settings.seed,
        "disable_tqdm": True,
    }

"""One stage of a run: from a model directory to its best checkpoint."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed

from ..learning.chat_tokens import Trunk
from ..learning.models import LoadedModel, load_model
from ..learning.rollout.engines import Rollouts
from ..learning.trainers.rlvr import RlvrTrainer
from ..learning.tree.model import prepare
from .episodes import EpisodeSets
from .folder import last_checkpoint, write_json
from .methods import CHOICES, make_trainer
from .pivots import pivot_trunks
from .ranks import device, first
from .settings import RunSettings
from .stage import Stage, StageData, StageTrainer


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
        ended = json.loads(text)
        return StageResult(**{**ended, "model": _best_model(folder, start, ended["best_step"])})
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
        trainer = make_trainer(
            Stage(
                name=name,
                folder=folder,
                loaded=loaded,
                data=data,
                settings=settings,
                rollouts=rollouts,
                sets=sets,
                checkpoint=checkpoint,
            )
        )
        rollouts.follow(loaded.model)
        if before is None or CHOICES[name] not in before:
            before = _before(trainer, folder)
        if checkpoint and isinstance(trainer, RlvrTrainer):
            trainer.resume_episodes(checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    result = _result(name, folder, start, trainer, before)
    first(lambda: write_json(done, {field: getattr(result, field) for field in StageResult.__slots__}))
    return result


def _keep_tasks(folder: Path, sets: EpisodeSets) -> None:
    """Name the tasks that episodes are learned from, for whoever evaluates the model."""
    found = {"tasks": sorted(sets.tasks), "repositories": sorted(sets.repositories)}
    first(lambda: write_json(folder / "tasks.json", found))


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


def _before(trainer: StageTrainer, folder: Path) -> dict[str, float]:
    """Held-out figures of the stage's start, measured once."""
    kept = folder / "before.json"
    if text := first(lambda: _read(kept)):
        found: dict[str, float] = json.loads(text)
        return found
    before = trainer.evaluate()
    first(lambda: write_json(kept, before))
    return before


def _read(path: Path) -> str:
    """The text of a file; empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _result(name: str, folder: Path, start: str, trainer: StageTrainer, before: dict[str, float]) -> StageResult:
    """The best checkpoint, or the start itself when nothing was better."""
    choice = CHOICES[name]
    measured = {
        int(entry["step"]): {key: value for key, value in entry.items() if key.startswith("eval_")}
        for entry in trainer.state.log_history
        if choice in entry
    }
    best = max(measured, key=lambda step: measured[step][choice], default=0)
    if best == 0 or measured[best][choice] <= before[choice]:
        return StageResult(name=name, model=start, best_step=0, before=before, after=before)
    model = _best_model(folder, start, best)
    return StageResult(name=name, model=model, best_step=best, before=before, after=measured[best])


def _best_model(folder: Path, start: str, step: int) -> str:
    """From where the stage's folder is now: the run may have been moved since it ended, or named otherwise."""
    return str(folder / f"checkpoint-{step}") if step else start

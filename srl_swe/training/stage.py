"""What a stage of a run is made from, and what its trainer can do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from transformers import TrainerCallback, TrainerState
from transformers.trainer_callback import CallbackHandler

from ..conversations import ReplyScorer
from ..learning.chat_tokens import Trunk
from ..learning.models import LoadedModel
from ..learning.rollout.engines import Rollouts
from .episodes import EpisodeSets
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
class Stage:
    """One stage about to train."""

    name: str
    folder: Path
    loaded: LoadedModel
    data: StageData
    settings: RunSettings
    rollouts: Rollouts
    sets: EpisodeSets | None
    """The opened tasks of the stage `rlvr`."""
    checkpoint: Path | None
    """Where an interrupted stage goes on."""


class StageTrainer(Protocol):
    """The part of transformers' Trainer that a stage uses."""

    state: TrainerState
    callback_handler: CallbackHandler

    def train(self, resume_from_checkpoint: str | None = None) -> object:
        """Train to the end, from a checkpoint where one is given."""
        ...

    def evaluate(self) -> dict[str, float]:
        """Held-out figures of the model as it is."""
        ...

    def add_callback(self, callback: TrainerCallback) -> None:
        """Have a callback told what happens."""
        ...

    def remove_callback(self, callback: type[TrainerCallback]) -> None:
        """Tell callbacks of a type nothing more."""
        ...

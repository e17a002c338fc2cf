"""Which engine a run's replies come from: one for all its stages, ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback

from ..chat_tokens import ChatTokenizer
from ..settings import RolloutSettings, TreeSettings
from .decoded import DecoderSampler
from .gap import GapWarning
from .generated import GenerateSampler
from .sampler import ReplySampler
from .vllm_colocated import ColocatedEngine
from .vllm_engine import Engine, ServedEngine
from .vllm_sampler import FollowsTrainer, VllmSampler
from .vllm_start import EngineNeeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """Makes the samplers of a run's stages."""

    settings: RolloutSettings
    tree: TreeSettings
    engine: Engine | None = None
    """vLLM, where that is the engine."""

    def sampler(self, chat: ChatTokenizer) -> ReplySampler:
        """A sampler with a stage's tokenizer."""
        if self.engine is not None:
            return VllmSampler(chat=chat, settings=self.settings, engine=self.engine)
        if self.settings.engine == "generate" or not self.tree.enabled:
            return GenerateSampler(chat=chat, settings=self.settings)
        return DecoderSampler(chat=chat, settings=self.settings, prefill_tokens=self.tree.tokens_per_pass)

    def callbacks(self, *, samples_to_train: bool) -> tuple[TrainerCallback, ...]:
        """What a stage's trainer has to call; `samples_to_train`: replies are sampled for every update."""
        warning = GapWarning(self.settings.gap_warning)
        if self.engine is None:
            return (warning,)
        return (warning, FollowsTrainer(self.engine, samples_to_train=samples_to_train))

    def outdated(self) -> None:
        """The model that replies are sampled from has new weights."""
        if self.engine is not None:
            self.engine.outdated()

    def follow(self, model: Any) -> None:
        """Before replies are sampled outside of training; every rank takes part."""
        if self.engine is not None:
            self.engine.follow(model)


@contextmanager
def open_rollouts(settings: RolloutSettings, tree: TreeSettings, needs: EngineNeeds) -> Iterator[Rollouts]:
    """A run's rollouts; what they start ends with the block. `needs` are those of vLLM, where that is the engine."""
    if settings.engine != "vllm":
        yield Rollouts(settings=settings, tree=tree)
        return
    engine: Engine = ColocatedEngine(needs) if settings.vllm.mode == "colocated" else ServedEngine(needs)
    try:
        yield Rollouts(settings=settings, tree=tree, engine=engine)
    finally:
        engine.close()

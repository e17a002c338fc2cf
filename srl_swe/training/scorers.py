"""The scorer that a configuration names."""

from __future__ import annotations

from pathlib import Path

from srl_swe_envs.rewards.named import scorer_named
from srl_swe_envs.rewards.scorer import Scorer

from .settings import RewardSettings


def load_scorer(settings: RewardSettings, base: Path) -> Scorer:
    """The scorer of `[reward]`; an embedding model's path is relative to `base`. Raises ConfigError."""
    if settings.scorer != "embedding":
        return scorer_named(settings.scorer + "_autojunk" * settings.autojunk + "_wrapper" * settings.wrapper)
    from ..domains.embedding import Embedding
    from ..learning.embedding import load_embedder

    beside = base / settings.embedding_model
    return Embedding(embedder=load_embedder(str(beside) if beside.exists() else settings.embedding_model))

"""A scorer by meaning: how far two actions' embeddings point the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from srl_swe_envs.actions import Action, canonical_text
from srl_swe_envs.rewards.scorer import Target, expert_of

_BELOW_EQUAL = 1.0 - 1e-6


class Embedder(Protocol):
    """Texts in, unit vectors out (`learning.embedding.TextEmbedder`)."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape `(len(texts), hidden)`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Cosine of the texts' embeddings; opposite ones count 0, and 1 is for equal texts alone."""

    embedder: Embedder
    name: str = "embedding"

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """See `Scorer.similarities`."""
        experts = [self.text(expert_of(target), dialect) for target in targets]
        return self.compare([self.text(action, dialect) for action in actions], experts)

    def text(self, action: Action, dialect: str) -> str:
        """See `TextScorer.text`."""
        return canonical_text(action)

    def compare(self, texts: Sequence[str], experts: Sequence[str]) -> NDArray[np.float64]:
        """See `TextScorer.compare`."""
        if not texts:
            return np.zeros(0)
        vectors = self.embedder.vectors([*texts, *experts]).astype(np.float64)
        cosines = (vectors[: len(texts)] * vectors[len(texts) :]).sum(-1)
        equal = np.array([text == expert for text, expert in zip(texts, experts, strict=True)])
        return np.where(equal, 1.0, np.clip(cosines, 0.0, _BELOW_EQUAL))

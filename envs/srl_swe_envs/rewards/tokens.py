"""A scorer that compares words instead of characters, so that chance agreement of letters does not count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, canonical_text
from .scorer import Target, expert_of
from .similarity import token_similarity_batch

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Similarity of the canonical texts as sequences of words, runs of white space and single other characters."""

    name: str = "tokens"

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """See `Scorer.similarities`."""
        experts = [canonical_text(expert_of(target)) for target in targets]
        return self.compare([canonical_text(action) for action in actions], experts)

    def text(self, action: Action, dialect: str) -> str:
        """See `TextScorer.text`."""
        return canonical_text(action)

    def compare(self, texts: Sequence[str], experts: Sequence[str]) -> NDArray[np.float64]:
        """See `TextScorer.compare`."""
        return token_similarity_batch([_WORD.findall(text) for text in texts], [_WORD.findall(e) for e in experts])

"""The default scorer: exact character similarity of the actions' canonical texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, canonical_text
from ..dialects import dialect_named
from .scorer import Target, expert_of
from .similarity import similarity_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters:
    """Similarity of texts by character, as SRL defines its reward (arXiv 2510.25992, section 4.2).

    Both options bring back the literal reading of the paper with Python's defaults: `autojunk=True` is difflib's own
    default, which ignores frequent characters of long experts; `wrapper=True` compares actions as the dialect renders
    them, tags included, which lifts unrelated commands to about 0.75. With a wrapper an expert that the dialect can't
    say raises ConfigError.
    """

    autojunk: bool = False
    wrapper: bool = False

    @property
    def name(self) -> str:
        """`characters`, followed by the options that are on."""
        return "characters" + "_autojunk" * self.autojunk + "_wrapper" * self.wrapper

    def similarities(self, actions: Sequence[Action], targets: Sequence[Target], dialect: str) -> NDArray[np.float64]:
        """See `Scorer.similarities`."""
        experts = [self.text(expert_of(target), dialect) for target in targets]
        return self.compare([self.text(action, dialect) for action in actions], experts)

    def text(self, action: Action, dialect: str) -> str:
        """See `TextScorer.text`."""
        return dialect_named(dialect).render_action(action) if self.wrapper else canonical_text(action)

    def compare(self, texts: Sequence[str], experts: Sequence[str]) -> NDArray[np.float64]:
        """See `TextScorer.compare`."""
        return similarity_batch(texts, experts, autojunk=self.autojunk)

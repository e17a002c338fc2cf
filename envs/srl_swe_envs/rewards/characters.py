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
        text = dialect_named(dialect).render_action if self.wrapper else canonical_text
        experts = [text(expert_of(target)) for target in targets]
        return similarity_batch([text(action) for action in actions], experts, autojunk=self.autojunk)

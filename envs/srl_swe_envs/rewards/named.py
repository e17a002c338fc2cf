"""The scorers by the names that configurations and reports use."""

from __future__ import annotations

from ..errors import ConfigError
from .characters import Characters
from .edit_effect import EditEffect
from .scorer import Scorer
from .structured import Structured
from .tokens import Tokens

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer
    for scorer in (
        Characters(),
        Characters(autojunk=True),
        Characters(wrapper=True),
        Characters(autojunk=True, wrapper=True),
        Tokens(),
        Structured(),
        EditEffect(),
    )
}


def scorer_named(name: str) -> Scorer:
    """The scorer of that name; raises ConfigError naming the known ones."""
    if name not in SCORERS:
        raise ConfigError(f"unknown scorer {name!r}; known: {', '.join(SCORERS)}")
    return SCORERS[name]

"""What a run needs of a domain, and the counts of what became of its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ..conversations import Conversation, ReplyScorer

S = TypeVar("S")
"""What steps are cut from: a trajectory, a solution."""


@dataclass(slots=True)
class DataCounts:
    """What became of the trajectories (or solutions) of one set."""

    read: int = 0
    used: int = 0
    steps: int = 0
    tokens: int = 0
    contaminated: int = 0
    """Trajectories on benchmark tasks, whether they were left out or not."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Trajectories by reason."""
    steps_left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    """Files and lines that could not be read, with the reason."""
    unused_files: list[str] = field(default_factory=list)
    """Files without anything to learn from, with what they hold."""
    formats: Counter[str] = field(default_factory=Counter)
    """Used trajectories by log format."""
    tasks: set[str] = field(default_factory=set)
    repositories: set[str] = field(default_factory=set)
    """Of the used trajectories: what a later evaluation must not ask."""

    def record(self) -> dict[str, object]:
        """The counts as JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: _plain(value) for name, value in values.items()}


class Domain(Protocol[S]):
    """Reads what experts did, and shows it as conversations."""

    @property
    def scorer(self) -> ReplyScorer:
        """Scores replies to the steps of everything that was given to `learn`."""
        ...

    def read(self, places: Iterable[str]) -> tuple[list[S], DataCounts]:
        """What may be learned from files, and what happened to the rest. Raises ConfigError."""
        ...

    def task_of(self, source: S) -> str:
        """Sources of one task are never split over training and held-out data."""
        ...

    def conversations(self, source: S) -> Iterator[Conversation]:
        """Its conversations; raises ConfigError when the prompts can't say it."""
        ...

    def learn(self, source: S, counts: DataCounts) -> None:
        """Make its steps known to the scorer, and count it as used."""
        ...


def _plain(value: object) -> object:
    if isinstance(value, set):
        return sorted(value)
    return dict(value) if isinstance(value, Counter) else value

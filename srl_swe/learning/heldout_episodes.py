"""Held-out tasks: one greedy episode of each, from the task's beginning, and the share that is resolved."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from .episode_groups import episodes_of
from .groups import Group
from .rollout.episodes import EpisodePlayer, Start


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeCounts:
    """Sums over held-out episodes; add those of several ranks."""

    episodes: int = 0
    infra: int = 0
    resolved: int = 0
    truncated: int = 0
    turns: int = 0
    malformed: int = 0

    @classmethod
    def of(cls, groups: tuple[Group, ...]) -> EpisodeCounts:
        """Counts of groups of one episode each."""
        total = cls()
        for group in groups:
            (episode,) = episodes_of(group)
            outcome = episode.outcome
            assert outcome is not None  # held-out episodes are always judged
            total += cls(
                episodes=1,
                infra=int(outcome.status == "infra"),
                resolved=int(outcome.value == 1.0),
                truncated=int(not episode.ended),
                turns=len(episode.turns),
                malformed=sum(bool(turn.malformed) for turn in episode.turns),
            )
        return total

    def __add__(self, other: EpisodeCounts) -> EpisodeCounts:
        return EpisodeCounts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def metrics(self) -> dict[str, float]:
        """`resolved` is the share of the episodes that infrastructure did not break."""
        count = max(self.episodes, 1)
        return {
            "resolved": self.resolved / max(self.episodes - self.infra, 1),
            "episodes": float(self.episodes),
            "episode_infra": self.infra / count,
            "episode_truncated": self.truncated / count,
            "episode_turns": self.turns / count,
            "episode_malformed": self.malformed / max(self.turns, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldoutEpisodes:
    """Held-out tasks and what plays them."""

    player: EpisodePlayer
    tasks: tuple[int, ...]

    def measure(self, model: Any, rank: int, ranks: int) -> tuple[EpisodeCounts, tuple[Group, ...]]:
        """The counts and episodes of one rank's share of the tasks."""
        starts = [Start(task=task) for task in self.tasks[rank::ranks]]
        groups = self.player.play(model, starts, replies=1, seed=0, greedy=True)
        return EpisodeCounts.of(groups), groups

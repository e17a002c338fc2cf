"""How far from an expert's end episodes begin: nearer to the task's beginning as they succeed (a reverse curriculum).

A pure value: the same successes give the same curriculum, so that a resumed run goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .settings import BridgeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """Episodes begin `turns` turns before the expert's end."""

    settings: BridgeSettings
    turns: int
    recent: tuple[float, ...] = ()
    """Successes of the latest groups since `turns` was last raised, each in [0, 1]; `window` of them at most."""

    @classmethod
    def first(cls, settings: BridgeSettings) -> Curriculum:
        """Where a stage begins."""
        return cls(settings=settings, turns=settings.first_turns)

    def step(self, expert_turns: int) -> int:
        """After how many of the expert's turns an episode begins."""
        return max(0, expert_turns - self.turns)

    def after(self, successes: Sequence[float]) -> Curriculum:
        """The curriculum once the groups of an update are known; `turns` rises by one at most."""
        recent = (*self.recent, *successes)[-self.settings.window :]
        full = len(recent) == self.settings.window
        if full and sum(recent) / len(recent) >= self.settings.raise_at:
            return replace(self, turns=self.turns + 1, recent=())
        return replace(self, recent=recent)

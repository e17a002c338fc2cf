"""What `srl-swe evaluate` was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..policies.protocol import Sampling
from ..rollout import EpisodeLimits
from .grading import HardenedWhen
from .pulls import CacheLevel
from .sources import ModelOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    tasks: str
    policy: str
    protocol: str
    out: Path
    ids: tuple[str, ...] = ()
    limit: int = 0
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    model: ModelOptions = field(default_factory=ModelOptions)
    prompts: Path | None = None
    several: bool = False
    """A reply may hold several actions, as a model that learned merged steps gives them."""
    observation_chars: int = 0
    """Longer observations keep their head and tail; 0 keeps what the workspace kept."""
    last_rounds: int | None = None
    """Rounds of history that the `agent` protocol shows; None shows all."""
    thinking: bool = False
    episode: EpisodeLimits = field(default_factory=EpisodeLimits)
    command_timeout_s: float = 60.0
    test_timeout_s: float = 1800.0
    memory_bytes: int = 4 << 30
    hardened: HardenedWhen = "resolved"
    workspace: str = "auto"
    workers: int = 0
    cache: CacheLevel = "space"
    specs: tuple[Path, ...] = ()
    selfcheck: bool | None = None
    """None: only where this machine has not been checked yet."""
    selfcheck_tasks: int = 1
    official: bool = False
    regrade: bool = False
    trained_in: Path | None = None
    prices: tuple[float, float] | None = None

    def record(self) -> dict[str, Any]:
        """What decides the numbers; a folder is for one such record."""
        names = ("tasks", "policy", "protocol", "samples", "seed", "test_timeout_s", "memory_bytes", "thinking")
        settings = {name: getattr(self, name) for name in names}
        settings |= {"ids": list(self.ids), "limit": self.limit, "hardened": self.hardened}
        settings |= {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p}
        settings |= {"max_tokens": self.sampling.max_tokens, "dialect": self.model.dialect, "model": self.model.model}
        settings |= {"max_turns": self.episode.max_turns, "command_timeout_s": self.command_timeout_s}
        settings |= {"several_actions": True} if self.several else {}
        settings |= {"observation_chars": self.observation_chars} if self.observation_chars else {}
        settings |= {"last_rounds": self.last_rounds} if self.last_rounds is not None else {}
        return settings | {"prompts": str(self.prompts) if self.prompts else ""}

"""Limits and recording around a `SweEnv`: what would otherwise be its options.

Each limit truncates and says so in `info["truncated_by"]`. Gymnasium's own `TimeLimit` counts steps; here that is
`TurnLimit`, and `DurationLimit` measures time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from .errors import ConfigError
from .swe_env import SweEnv
from .trajectories import Trajectory, trajectory_to_json
from .workspaces.protocol import elision_mark

TextEnv: TypeAlias = gymnasium.Env[str, str]
Reset: TypeAlias = tuple[str, dict[str, Any]]
Step: TypeAlias = tuple[str, float, bool, bool, dict[str, Any]]


class _Wrapper(gymnasium.Wrapper[str, str, str, str]):
    def _step(self, action: str) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, info


class TurnLimit(_Wrapper, RecordConstructorArgs):
    """Truncates after `max_turns` turns, malformed ones included."""

    def __init__(self, env: TextEnv, max_turns: int) -> None:
        RecordConstructorArgs.__init__(self, max_turns=max_turns)
        super().__init__(env)
        self._max_turns, self._turns = max_turns, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Begin an episode."""
        self._turns = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: str) -> Step:
        """One turn."""
        result = self._step(action)
        self._turns += 1
        return _truncated(result, "turns") if self._turns >= self._max_turns else result


class DurationLimit(_Wrapper, RecordConstructorArgs):
    """Truncates the turn after which `max_duration_s` of wall time have passed since the reset."""

    def __init__(self, env: TextEnv, max_duration_s: float) -> None:
        RecordConstructorArgs.__init__(self, max_duration_s=max_duration_s)
        super().__init__(env)
        self._max_duration_s, self._start = max_duration_s, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Begin an episode."""
        begun = self.env.reset(seed=seed, options=options)
        self._start = time.monotonic()
        return begun

    def step(self, action: str) -> Step:
        """One turn."""
        result = self._step(action)
        return _truncated(result, "duration") if time.monotonic() - self._start >= self._max_duration_s else result


class TokenLimit(_Wrapper, RecordConstructorArgs):
    """Truncates when replies and observations together exceed `max_tokens` as `count_tokens` counts a text."""

    def __init__(self, env: TextEnv, max_tokens: int, count_tokens: Callable[[str], int]) -> None:
        RecordConstructorArgs.__init__(self, max_tokens=max_tokens, count_tokens=count_tokens)
        super().__init__(env)
        self._max_tokens, self._count, self._tokens = max_tokens, count_tokens, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Begin an episode; the first observation counts."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._tokens = self._count(observation)
        return observation, info

    def step(self, action: str) -> Step:
        """One turn."""
        result = self._step(action)
        self._tokens += self._count(action) + self._count(result[0])
        return _truncated(result, "tokens") if self._tokens > self._max_tokens else result


class ObservationBudget(_Wrapper, RecordConstructorArgs):
    """Leaves out the middle of observations longer than `max_chars`; `info["elided_chars"]` counts what is gone."""

    def __init__(self, env: TextEnv, max_chars: int) -> None:
        RecordConstructorArgs.__init__(self, max_chars=max_chars)
        super().__init__(env)
        self._max_chars = max_chars

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        shown, elided = _within(observation, self._max_chars)
        return shown, info | {"elided_chars": info.get("elided_chars", 0) + elided}

    def step(self, action: str) -> Step:
        """One turn."""
        observation, reward, terminated, truncated, info = self._step(action)
        shown, elided = _within(observation, self._max_chars)
        return shown, reward, terminated, truncated, info | {"elided_chars": info.get("elided_chars", 0) + elided}


class RecordTurns(_Wrapper, RecordConstructorArgs):
    """Appends every finished episode to a trajectory file (JSON Lines), so that rollouts can be read as logs."""

    def __init__(self, env: TextEnv, path: Path | str) -> None:
        RecordConstructorArgs.__init__(self, path=path)
        super().__init__(env)
        self._path, self._episodes = Path(path), 0

    def step(self, action: str) -> Step:
        """One turn."""
        result = self._step(action)
        if result[2] or result[3]:
            self._append(result[4].get("resolved"))
        return result

    def _append(self, resolved: bool | None) -> None:
        env = self.env.unwrapped
        if not isinstance(env, SweEnv):
            raise ConfigError(f"RecordTurns records a SweEnv, not {type(env).__name__}")
        self._episodes += 1
        episode = Trajectory(
            id=f"{env.task.id}.rollout-{self._episodes}",
            task=env.task,
            turns=env.turns,
            source="rollout",
            outcome="unknown" if resolved is None else "resolved" if resolved else "unresolved",
        )
        with self._path.open("a", encoding="utf-8") as file:  # as ASCII: replies may hold lone surrogates
            file.write(json.dumps(trajectory_to_json(episode)) + "\n")


def _truncated(result: Step, why: str) -> Step:
    """The result with the truncation set, unless the episode has ended by itself."""
    observation, reward, terminated, truncated, info = result
    if terminated or truncated:
        return result
    return observation, reward, False, True, info | {"truncated_by": why}


def _within(text: str, max_chars: int) -> tuple[str, int]:
    if len(text) <= max_chars:
        return text, 0
    tail = max_chars // 2
    elided = len(text) - max_chars
    return text[: max_chars - tail] + elision_mark(elided) + text[len(text) - tail :], elided

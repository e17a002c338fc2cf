"""How whole episodes went that a stage `rlvr` played: what they earned, how they ended, and whether they grew."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from .habits import lengths_record
from .samples import Audited


def episodes_record(run: Audited) -> dict[str, dict[str, Any]]:
    """By stage and kind: mean reward, shares by how episodes ended and of signs of cheating, and length over training.

    Lengths are in tokens, of the first and the last third of the episodes; `drift` is the rank correlation of length
    with the training step.
    """
    found = {}
    for stage, kind in dict.fromkeys((episode.stage, episode.kind) for episode in run.episodes):
        episodes = sorted(
            (one for one in run.episodes if (one.stage, one.kind) == (stage, kind)), key=lambda one: one.update
        )
        rewards = [one.reward for one in episodes if one.reward is not None]
        lengths = [float(one.tokens) for one in episodes]
        found[f"{stage} {kind}"] = {
            "episodes": len(episodes),
            "reward": math.fsum(rewards) / len(rewards) if rewards else None,
            "turns": sum(one.turns for one in episodes) / len(episodes),
            **lengths_record([float(one.update) for one in episodes], lengths, "tokens"),
            "stops": _shares(Counter(one.stop for one in episodes), len(episodes)),
            "flags": _shares(Counter(flag for one in episodes for flag in set(one.flags)), len(episodes)),
        }
    return found


def _shares(counts: Counter[str], total: int) -> dict[str, float]:
    return {name: count / total for name, count in counts.most_common()}

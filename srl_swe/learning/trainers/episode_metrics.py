"""Numbers of a batch's episodes, by their names in `metrics.jsonl`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..episode_groups import episodes_of
from ..groups import Group
from ..rollout.running import LIMITS


def episode_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Means over episodes, `episode/resolved` over those with a verdict; `stop/...` are shares by how they ended,
    `flag/...` shares that show a sign of cheating."""
    episodes = [episode for group in groups for episode in episodes_of(group)]
    if not episodes:
        return {}
    count = len(episodes)
    turns = [turn for episode in episodes for turn in episode.turns]
    outcomes = [episode.outcome for episode in episodes if episode.outcome is not None]
    judged = [outcome.value for outcome in outcomes if outcome.status == "scored"]
    found = {
        "episode/turns": len(turns) / count,
        "episode/own_tokens": sum(sum(episode.trained) for episode in episodes) / count,
        "episode/tokens": sum(len(episode.token_ids) for episode in episodes) / count,
        "episode/truncated": sum(episode.stop in LIMITS for episode in episodes) / count,
        "episode/infra": sum(episode.stop == "infra" for episode in episodes) / count,
        "episode/malformed": sum(bool(turn.malformed) for turn in turns) / max(len(turns), 1),
        "episode/world_s": sum(episode.world_s for episode in episodes) / count,
    }
    stops = Counter(episode.stop for episode in episodes)
    flags = Counter(flag for episode in episodes for flag in set(episode.flags))
    return {
        **found,
        **({"episode/resolved": sum(judged) / len(judged)} if judged else {}),
        **{f"stop/{name}": number / count for name, number in stops.items()},
        **{f"flag/{name}": number / count for name, number in flags.items()},
    }

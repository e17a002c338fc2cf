"""Numbers of a batch's groups, by their names in `metrics.jsonl`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..groups import Group


def reward_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Means of rewards over replies and groups; empty when there are none."""
    rewards = [reward for group in groups for reward in group.rewards]
    if not rewards:
        return {}
    known = [reward for reward in rewards if not math.isnan(reward.value)]
    similarities = [reward.similarity for reward in known if reward.similarity is not None]
    return {
        "reward/mean": _mean([reward.value for reward in known]),
        "reward/similarity": _mean(similarities),
        "reward/std_in_group": _mean([group.std for group in groups]),
        "reward/exact_match": _mean([float(value == 1.0) for value in similarities]),
    }


def reply_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Means over replies, `malformed/...` the shares by reason; empty when there are none."""
    rewards = [reward for group in groups for reward in group.rewards]
    replies = [reply for group in groups for reply in group.replies]
    if not rewards:
        return {}
    reasons = Counter(reward.reason for reward in rewards if reward.status == "malformed")
    return {
        "reply/malformed": _mean([float(reward.status == "malformed") for reward in rewards]),
        "reply/infra": _mean([float(reward.status == "infra") for reward in rewards]),
        "reply/tokens": _mean([float(len(reply.token_ids)) for reply in replies]),
        "reply/truncated": _mean([float(not reply.ended) for reply in replies]),
        **{f"malformed/{reason}": count / len(rewards) for reason, count in reasons.items()},
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

"""Habits that a reward may breed: thoughts that grow or vanish, and actions taken from the history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..intervals import Estimate, bootstrap_estimate, mean_estimate, rank_correlation
from .samples import Audited, Said, Sample


def thoughts_record(run: Audited) -> dict[str, dict[str, Any]]:
    """By stage: thought length of the first and last third of training, its drift, and what thoughts hold.

    `drift` is the rank correlation of length with the training step; its interval resamples replies.
    """
    found = {}
    for stage in dict.fromkeys(sample.stage for sample in run.samples):
        said = _said(run, stage, "train") or _said(run, stage, "heldout")
        if not said:
            continue
        lengths = [float(len(reply.thought)) for _, reply in said]
        updates = [float(sample.update) for sample, _ in said]
        found[stage] = {
            "replies": len(said),
            **lengths_record(updates, lengths, "chars"),
            "empty": sum(not length for length in lengths) / len(lengths),
            "hold_the_action": sum(bool(reply.text) and reply.text in reply.thought for _, reply in said) / len(said),
        }
    return found


def copies_record(run: Audited) -> dict[str, dict[str, Any]]:
    """By stage and kind: share of well-formed replies that repeat an earlier action although the expert did not.

    `expert` is how often experts themselves repeat an earlier action in these steps.
    """
    found = {}
    for stage, kind in dict.fromkeys((sample.stage, sample.kind) for sample in run.samples):
        said = [
            (sample, reply, known)
            for sample, reply in _said(run, stage, kind)
            if (known := run.known(sample)) is not None
        ]
        late = [item for item in said if item[2].earlier]
        if not late:
            continue
        last = max(sample.update for sample, _, _ in late)
        first = min(sample.update for sample, _, _ in late)
        copies = [
            (sample.update, float(reply.text in known.earlier and reply.text != known.expert))
            for sample, reply, known in late
        ]
        middle = (first + last) / 2
        found[f"{stage} {kind}"] = {
            "replies": len(late),
            "first_half": _mean([copied for update, copied in copies if update <= middle]),
            "second_half": _mean([copied for update, copied in copies if update > middle]),
            "expert": _mean([float(known.expert in known.earlier) for _, _, known in late]),
        }
    return found


def _said(run: Audited, stage: str, kind: str) -> list[tuple[Sample, Said]]:
    """Well-formed replies of a stage, in the order of training."""
    chosen = (sample for sample in run.samples if (sample.stage, sample.kind) == (stage, kind))
    pairs = [(sample, reply) for sample in chosen if (reply := run.said(sample)) is not None]
    return sorted(pairs, key=lambda pair: pair[0].update)


def lengths_record(updates: Sequence[float], lengths: Sequence[float], unit: str) -> dict[str, Any]:
    """Mean length in the first and the last third of training, and `drift`: the rank correlation of lengths, in the
    order of training, with the training steps that they are of; its interval resamples them."""
    third = max(1, len(lengths) // 3)
    return {
        f"first_{unit}": mean_estimate(lengths[:third]).record(),
        f"last_{unit}": mean_estimate(lengths[-third:]).record(),
        "drift": _drift(updates, lengths).record(),
    }


def _drift(updates: Sequence[float], lengths: Sequence[float]) -> Estimate:
    def correlation(places: Sequence[int]) -> float:
        return rank_correlation([updates[place] for place in places], [lengths[place] for place in places])

    return bootstrap_estimate(len(updates), correlation, rounds=500)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None

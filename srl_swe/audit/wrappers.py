"""How much of a reward the tags around an action would earn: its floor, and the range that is left above it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from srl_swe_envs.actions import Action, kind_of
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.named import scorer_named
from srl_swe_envs.steps import StepInstance

from .samples import Audited

_PAIRS = 200


def wrappers_record(run: Audited) -> dict[str, Any]:
    """By kind of the expert's action: similarity of unrelated actions of that kind, and of the run's replies, both
    with and without the wrapper."""
    dialect = run.settings.prompt.dialect
    experts: dict[str, list[StepInstance]] = {}
    for known in run.steps.values():
        if known.instance is not None and known.instance.then is None:
            experts.setdefault(kind_of(known.instance.expert), []).append(known.instance)
    replies: dict[str, list[tuple[Action, StepInstance]]] = {}
    for sample in run.samples:
        found, said = run.known(sample), run.said(sample)
        if found and found.instance and said and len(said.actions) == 1:
            replies.setdefault(kind_of(found.instance.expert), []).append((said.actions[0], found.instance))
    return {
        kind: {"unrelated": _both(_unrelated(steps), dialect), "replies": _both(replies.get(kind, []), dialect)}
        for kind, steps in sorted(experts.items())
    }


def _unrelated(steps: Sequence[StepInstance]) -> list[tuple[Action, StepInstance]]:
    """Actions of the same kind from other tasks; the same pairs each time."""
    chooser = random.Random(0)
    pairs = []
    for _ in range(_PAIRS):
        one, other = chooser.choice(steps), chooser.choice(steps)
        if (one.task.id or one.trajectory_id) != (other.task.id or other.trajectory_id):
            pairs.append((one.expert, other))
    return pairs


def _both(pairs: Sequence[tuple[Action, StepInstance]], dialect: str) -> dict[str, Any]:
    """Mean similarity without and with the wrapper, and the share that only the wrapper lifts over 0.5."""
    if not pairs:
        return {"count": 0}
    actions, steps = [action for action, _ in pairs], [step for _, step in pairs]
    plain = scorer_named("characters").similarities(actions, steps, dialect)
    try:
        wrapped = scorer_named("characters_wrapper").similarities(actions, steps, dialect)
    except ConfigError:  # an action of the log that the dialect can't say has no wrapper
        return {"count": len(pairs), "plain": float(plain.mean())}
    lifted = (plain < 0.5) & (wrapped >= 0.5)
    return {
        "count": len(pairs),
        "plain": float(plain.mean()),
        "wrapped": float(wrapped.mean()),
        "lifted_over_half": float(lifted.mean()),
    }

"""From files to what a run learns: read and filtered by a domain, shown as conversations, tokenized into trunks.

Every trajectory that is left out is counted under a reason, and the counts are kept in the run's folder.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from srl_swe_envs.errors import ConfigError

from ..conversations import Conversation, ReplyScorer
from ..learning.chat_tokens import ChatTokenizer, Trunk
from .domain import DataCounts, Domain
from .math_data import MathData
from .settings import PromptSettings, RunSettings
from .swe_data import SweData

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One set of conversations, ready to be tokenized."""

    conversations: tuple[Conversation, ...]
    counts: DataCounts
    sources: tuple[Any, ...] = ()
    """What the conversations show: trajectories, or solutions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """Both sets of a run and the domain, whose scorer knows their steps."""

    train: DataSet
    heldout: DataSet
    domain: SweData | MathData

    @property
    def scorer(self) -> ReplyScorer:
        """Scores replies to the steps of both sets."""
        return self.domain.scorer


def load_data(settings: RunSettings, base: Path) -> RunData:
    """Read and filter a run's data; paths are relative to `base`. Raises ConfigError when nothing is left.

    Without `data.train`, as a run of `rlvr` alone may be, both sets are empty.
    """
    if settings.data.domain == "math":
        return _loaded(MathData(settings, base), settings)
    return _loaded(SweData(settings, base), settings)


def _loaded(domain: Any, settings: RunSettings) -> RunData:
    data = settings.data
    if not data.train:
        nothing = DataSet(conversations=(), counts=DataCounts())
        return RunData(train=nothing, heldout=nothing, domain=domain)
    train, counts = domain.read(data.train)
    if data.heldout:
        heldout, heldout_counts = domain.read(data.heldout)
    else:
        train, heldout = _split(domain, train, data.heldout_fraction, settings.seed)
        heldout_counts = DataCounts(read=len(heldout))
        if heldout and not train:
            raise ConfigError(f"data.heldout_fraction = {data.heldout_fraction} leaves nothing to learn from")
    return RunData(
        train=_data_set(domain, train, settings.prompt, counts, "data.train"),
        heldout=_data_set(domain, heldout, settings.prompt, heldout_counts, "data.heldout"),
        domain=domain,
    )


def tokenize(data: DataSet, chat: ChatTokenizer, max_tokens: int) -> tuple[Trunk, ...]:
    """Trunks of at most `max_tokens` tokens; steps beyond are left out and counted."""
    trunks = []
    for conversation in data.conversations:
        trunk = chat.trunk(conversation)
        kept = tuple(target for target in trunk.targets if target.expert_span[1] <= max_tokens)
        if len(kept) < len(trunk.targets):
            data.counts.steps_left_out["too_long"] += len(trunk.targets) - len(kept)
        if kept:
            cut = replace(trunk, targets=kept, token_ids=trunk.token_ids[: kept[-1].expert_span[1]])
            trunks.append(cut)
    data.counts.steps = sum(len(trunk.targets) for trunk in trunks)
    data.counts.tokens = sum(len(trunk.token_ids) for trunk in trunks)
    if not trunks:
        raise ConfigError(f"no step is short enough for data.max_tokens = {max_tokens}")
    return tuple(trunks)


def _split(domain: Domain[S], sources: Sequence[S], fraction: float, seed: int) -> tuple[list[S], list[S]]:
    """Training and held-out sources; those of one task stay together."""
    tasks = sorted({domain.task_of(source) for source in sources})
    random.Random(seed).shuffle(tasks)
    held = set(tasks[: max(1, round(len(tasks) * fraction))]) if len(tasks) > 1 else set()
    chosen = [(source, domain.task_of(source) in held) for source in sources]
    return [source for source, is_held in chosen if not is_held], [source for source, is_held in chosen if is_held]


def _data_set(
    domain: Domain[S], sources: Sequence[S], prompt: PromptSettings, counts: DataCounts, name: str
) -> DataSet:
    conversations: list[Conversation] = []
    used: list[S] = []
    for source in sources:
        try:
            cut = list(domain.conversations(source))
        except ConfigError:
            counts.left_out[f"not_sayable_in_{prompt.dialect}"] += 1
            continue
        if not cut:
            counts.left_out["no_steps"] += 1
            continue
        conversations += [one for whole in cut for one in _nested(whole, prompt)]
        domain.learn(source, counts)
        used.append(source)
    if not conversations:
        reasons = [f"{count} {reason}" for reason, count in counts.left_out.items()]
        reasons += [*counts.unreadable[:1], *counts.unused_files[:1]]
        raise ConfigError(
            f"{name}: nothing to learn from: {counts.read} read, {', '.join(reasons) or 'the files hold none'}"
        )
    return DataSet(conversations=tuple(conversations), counts=counts, sources=tuple(used))


def _nested(conversation: Conversation, prompt: PromptSettings) -> Iterable[Conversation]:
    """The conversation itself, or one per target when each step gets a trunk of its own."""
    if prompt.nesting == "trunk":
        return (conversation,)
    return tuple(
        replace(conversation, messages=conversation.messages[: target.message + 1], targets=(target,))
        for target in conversation.targets
    )

"""From log files to what a run learns: trajectories filtered, shown as conversations, tokenized into trunks.

Every trajectory that is left out is counted under a reason, and the counts are kept in the run's folder.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.trajectories import Trajectory

from ..conversations import Conversation
from ..domains.swe import SweScorer, SweSteps
from ..learning.chat_tokens import ChatTokenizer, Trunk
from ..logs import Problem, Reading, read_benchmark, scan_logs
from ..prompts import PromptSet, load_prompts
from .scorers import load_scorer
from .settings import DataSettings, PromptSettings, RunSettings


@dataclass(slots=True)
class DataCounts:
    """What became of the trajectories of one set."""

    read: int = 0
    used: int = 0
    steps: int = 0
    tokens: int = 0
    contaminated: int = 0
    """Trajectories on benchmark tasks, whether they were left out or not."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Trajectories by reason."""
    steps_left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    """Files and lines that could not be read, with the reason."""
    formats: Counter[str] = field(default_factory=Counter)
    """Used trajectories by log format."""
    tasks: set[str] = field(default_factory=set)
    repositories: set[str] = field(default_factory=set)
    """Of the used trajectories: what a later evaluation must not ask."""

    def record(self) -> dict[str, object]:
        """The counts as JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: _plain(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One set of trajectories, ready to be tokenized."""

    conversations: tuple[Conversation, ...]
    counts: DataCounts
    trajectories: tuple[Trajectory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """Both sets of a run and the scorer that knows their steps."""

    train: DataSet
    heldout: DataSet
    scorer: SweScorer
    prompts: PromptSet


def load_data(settings: RunSettings, base: Path) -> RunData:
    """Read and filter a run's logs; paths are relative to `base`. Raises ConfigError when nothing is left.

    Without `data.train`, as a run of `rlvr` alone may be, both sets are empty.
    """
    prompts = _prompts(settings.prompt, base)
    steps = SweSteps(
        prompts=prompts,
        last_rounds=settings.prompt.last_rounds,
        thoughts=settings.prompt.thoughts,
        include_last=settings.prompt.include_last,
        merge=settings.prompt.merge_steps,
    )
    scorer = SweScorer(
        dialect=settings.prompt.dialect,
        scorer=load_scorer(settings.reward, base),
        merge=settings.prompt.merge_steps,
    )
    if not settings.data.train:
        nothing = DataSet(conversations=(), counts=DataCounts())
        return RunData(train=nothing, heldout=nothing, scorer=scorer, prompts=prompts)
    train, counts = _kept(settings.data.train, settings.data, base)
    if settings.data.heldout:
        heldout, heldout_counts = _kept(settings.data.heldout, settings.data, base)
    else:
        train, heldout = _split(train, settings.data.heldout_fraction, settings.seed)
        heldout_counts = DataCounts(read=len(heldout))
    return RunData(
        train=_data_set(train, steps, settings.prompt, scorer, counts, "data.train"),
        heldout=_data_set(heldout, steps, settings.prompt, scorer, heldout_counts, "data.heldout"),
        scorer=scorer,
        prompts=prompts,
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


def _prompts(settings: PromptSettings, base: Path) -> PromptSet:
    folder = base / settings.folder if settings.folder else None
    return load_prompts(
        settings.dialect,
        folder=folder,
        observation_chars=settings.observation_chars,
        several=settings.merge_steps != 1,
    )


def _kept(places: Iterable[str], settings: DataSettings, base: Path) -> tuple[list[Trajectory], DataCounts]:
    """Trajectories that may be learned, and what happened to the others."""
    counts = DataCounts()
    kept: list[Trajectory] = []
    benchmark = read_benchmark(base / settings.benchmark) if settings.benchmark else None
    for event in scan_logs([str(base / place) for place in places], benchmark=benchmark):
        if isinstance(event, Problem):
            counts.unreadable.append(str(event))
        if not isinstance(event, Reading):
            continue
        trajectory = event.trajectory
        counts.read += 1
        counts.contaminated += bool(trajectory.contaminated)
        reason = _left_out(trajectory, settings)
        if reason:
            counts.left_out[reason] += 1
        elif settings.max_trajectories and len(kept) >= settings.max_trajectories:
            counts.left_out["over_max_trajectories"] += 1
        else:
            kept.append(trajectory)
    return kept, counts


def _left_out(trajectory: Trajectory, settings: DataSettings) -> str:
    if trajectory.contaminated and not settings.include_contaminated:
        return "contaminated"
    if settings.outcome == "resolved" and trajectory.outcome != "resolved":
        return "not_resolved"
    if settings.outcome == "not_unresolved" and trajectory.outcome == "unresolved":
        return "unresolved"
    return "no_steps" if len(trajectory.turns) < 2 else ""


def _split(trajectories: Sequence[Trajectory], fraction: float, seed: int) -> tuple[list[Trajectory], list[Trajectory]]:
    """Training and held-out trajectories; trajectories of one task stay together."""
    tasks = sorted({trajectory.task.id or trajectory.id for trajectory in trajectories})
    random.Random(seed).shuffle(tasks)
    held = set(tasks[: max(1, round(len(tasks) * fraction))]) if len(tasks) > 1 else set()
    chosen = [(t, (t.task.id or t.id) in held) for t in trajectories]
    return [t for t, is_held in chosen if not is_held], [t for t, is_held in chosen if is_held]


def _data_set(
    trajectories: Sequence[Trajectory],
    steps: SweSteps,
    prompt: PromptSettings,
    scorer: SweScorer,
    counts: DataCounts,
    name: str,
) -> DataSet:
    conversations: list[Conversation] = []
    used: list[Trajectory] = []
    for trajectory in trajectories:
        try:
            cut = list(steps.conversations(trajectory))
        except ConfigError:
            counts.left_out[f"not_sayable_in_{prompt.dialect}"] += 1
            continue
        if not cut:
            counts.left_out["no_steps"] += 1
            continue
        conversations += [one for whole in cut for one in _nested(whole, prompt)]
        scorer.add(trajectory)
        used.append(trajectory)
        counts.used += 1
        counts.formats[trajectory.source] += 1
        counts.tasks |= {trajectory.task.id} - {""}
        counts.repositories |= {trajectory.task.repo} - {""}
    if not conversations:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.items()) or "the logs hold none"
        raise ConfigError(f"{name}: no trajectory to learn from: {counts.read} read, {reasons}")
    return DataSet(conversations=tuple(conversations), counts=counts, trajectories=tuple(used))


def _plain(value: object) -> object:
    if isinstance(value, set):
        return sorted(value)
    return dict(value) if isinstance(value, Counter) else value


def _nested(conversation: Conversation, prompt: PromptSettings) -> Iterable[Conversation]:
    """The conversation itself, or one per target when each step gets a trunk of its own."""
    if prompt.nesting == "trunk":
        return (conversation,)
    return tuple(
        replace(conversation, messages=conversation.messages[: target.message + 1], targets=(target,))
        for target in conversation.targets
    )

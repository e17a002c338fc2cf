"""The replies that a run kept, and the steps that they reply to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srl_swe_envs.actions import Action, canonical_text
from srl_swe_envs.dialects import parse_actions, parse_reply
from srl_swe_envs.dialects.reply import split_thought
from srl_swe_envs.errors import ConfigError, MalformedReply
from srl_swe_envs.rewards.scorer import experts_of, foreign_tools_of
from srl_swe_envs.steps import StepInstance, step_instances

from ..config import load_config
from ..domains.math.solutions import Solution
from ..training.data import RunData, load_data
from ..training.math_data import MathData
from ..training.settings import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of a stage's `samples.jsonl`."""

    stage: str
    kind: str
    """`train`, `heldout` or `greedy`."""
    update: int
    """The training step that it was sampled before."""
    conversation: str
    step: int
    reply: str
    similarity: float | None
    """None unless it was scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSample:
    """One line of `samples.jsonl` of a stage that plays episodes."""

    stage: str
    kind: str
    """`train` or `heldout_episodes`."""
    update: int
    stop: str
    turns: int
    tokens: int
    flags: tuple[str, ...]
    reward: float | None
    """None where it has no part in its group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a well-formed reply holds."""

    thought: str
    text: str
    """What was compared: the actions' canonical texts, or the step."""
    actions: tuple[Action, ...] = ()
    """Empty on mathematics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A step as its expert did it."""

    expert: str
    earlier: tuple[str, ...]
    """Texts of the expert's earlier steps."""
    instance: StepInstance | None = None
    """None on mathematics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A run with its samples and, where its data can still be read, its steps."""

    settings: RunSettings
    samples: tuple[Sample, ...]
    episodes: tuple[EpisodeSample, ...]
    steps: Mapping[tuple[str, int], Known]
    data: RunData | None
    missing: str = ""
    """Why the steps are not known."""

    def known(self, sample: Sample) -> Known | None:
        """The step that a sample replies to."""
        return self.steps.get((sample.conversation, sample.step))

    def said(self, sample: Sample) -> Said | None:
        """What a sample holds; None when it is malformed."""
        try:
            thought, rest = split_thought(sample.reply)
            if self.settings.data.domain == "math":
                return Said(thought=thought, text=rest.strip()) if rest.strip() else None
            actions = self._actions(sample)
        except MalformedReply:
            return None
        return Said(thought=thought, text="\n".join(map(canonical_text, actions)), actions=actions)

    def _actions(self, sample: Sample) -> tuple[Action, ...]:
        known, dialect = self.known(sample), self.settings.prompt.dialect
        foreign = foreign_tools_of(known.instance) if known and known.instance else frozenset()
        if self.settings.prompt.merge_steps != 1:
            return parse_actions(sample.reply, dialect, foreign_tools=foreign)
        return (parse_reply(sample.reply, dialect, foreign_tools=foreign).action,)


def read_run(run: Path, base: Path | None) -> Audited:
    """A run's folder; `base` is what the paths of its configuration are relative to, where `data.json` does not say.

    Raises ConfigError when it is no run's folder or has no samples.
    """
    if not (run / "config.toml").is_file():
        raise ConfigError(f"{run}: not the folder of a training run; it has no config.toml")
    settings = load_config(RunSettings, run / "config.toml")
    found = [sample for file in sorted(run.glob("*/samples.jsonl")) for sample in _samples(file)]
    if not found:
        raise ConfigError(f"{run}: no samples yet; a run writes them as it learns and is measured")
    kept = Audited(
        settings=settings,
        samples=tuple(sample for sample in found if isinstance(sample, Sample)),
        episodes=tuple(sample for sample in found if isinstance(sample, EpisodeSample)),
        steps={},
        data=None,
    )
    try:
        data = load_data(settings, base or _base(run))
    except (ConfigError, OSError) as error:
        return replace(kept, missing=str(error))
    return replace(kept, steps=dict(_steps(data, settings)), data=data)


def _base(run: Path) -> Path:
    """Where the configuration lay, as `data.json` says."""
    try:
        said = json.loads((run / "data.json").read_text(encoding="utf-8"))
        return Path(said["base"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{run}/data.json does not say what paths are relative to; name it with --base") from error


def _samples(file: Path) -> Iterator[Sample | EpisodeSample]:
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        try:
            values = json.loads(line)
        except ValueError:  # a run that was killed is cut off here, and writes the line again
            continue
        try:
            yield _sample(file.parent.name, values)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{file}:{number}: not a sample that a run writes: {error!r}") from error


def _sample(stage: str, values: Mapping[str, Any]) -> Sample | EpisodeSample:
    if "expert" not in values:
        return EpisodeSample(
            stage=stage,
            kind=values["kind"],
            update=values["step"],
            stop=values["stop"],
            turns=values["turns"],
            tokens=values["tokens"],
            flags=tuple(values["flags"]),
            reward=values["reward"],
        )
    conversation, _, step = str(values["group"]).rpartition("#")
    return Sample(
        stage=stage,
        kind=values["kind"],
        update=values["step"],
        conversation=conversation,
        step=int(step),
        reply=values["reply"],
        similarity=values["similarity"],
    )


def _steps(data: RunData, settings: RunSettings) -> Iterator[tuple[tuple[str, int], Known]]:
    for source in (*data.train.sources, *data.heldout.sources):
        if isinstance(source, Solution):
            assert isinstance(data.domain, MathData)
            steps = data.domain.scorer.steps
            texts = [steps.expert(step) for step in steps.steps(source)]
            for place, text in enumerate(texts):
                yield (source.id, place), Known(expert=text, earlier=tuple(texts[:place]))
            continue
        for instance in step_instances(source, include_last=True, merge=settings.prompt.merge_steps):
            expert = "\n".join(map(canonical_text, experts_of(instance)))
            earlier = tuple(canonical_text(turn.action) for turn in instance.history)
            yield (source.id, instance.index), Known(expert=expert, earlier=earlier, instance=instance)

"""Groups whose replies are whole episodes: what an episode is as tokens, and what its turns teach.

With one reward for the whole episode a group is like any other (`groups`). With a reward for each reply, replies to the
same expert's step in a group's episodes are compared with each other, each in its own history: a turn group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from srl_swe_envs.rewards.score import StepReward

from .groups import Group, SampledReply, Verdict, deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeTurn:
    """One reply of an episode: `token_ids[begin:end]` of the episode, and what came of it."""

    begin: int
    end: int
    malformed: str = ""
    step: int | None = None
    """The expert's step it was compared with."""
    reward: StepReward | None = None

    @property
    def known(self) -> bool:
        """Whether the reply has a reward of its own."""
        return self.reward is not None and not math.isnan(self.reward.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledEpisode(SampledReply):
    """A whole episode as one reply to its opening: replies and what came back between them.

    `logps` is NaN where a token was not sampled; `text` is a transcript; `ended` is False for a truncated episode.
    """

    trained: tuple[bool, ...]
    """True for the model's own tokens."""
    turns: tuple[EpisodeTurn, ...]
    stop: str
    """How it ended: the domain's word, a limit, `infra` or `unusable_start`."""
    outcome: StepReward | None = None
    """The verdict, or why there can be none; None where none was asked for."""
    flags: tuple[str, ...] = ()
    world_s: float = 0.0
    """Time that its actions took."""


def episodes_of(group: Group) -> tuple[SampledEpisode, ...]:
    """The replies of a group that was played."""
    found = tuple(reply for reply in group.replies if isinstance(reply, SampledEpisode))
    assert len(found) == len(group.replies)
    return found


def episode_reward(episode: SampledEpisode) -> StepReward:
    """What is settled as its outcome, else the mean of an episode's own step rewards; `masked` where it has none."""
    if episode.outcome is not None:
        return episode.outcome
    found = [turn.reward for turn in episode.turns if turn.reward is not None and turn.known]
    if not found:
        return StepReward.masked("no reply was compared")
    return StepReward(
        value=sum(reward.value for reward in found) / len(found),
        similarity=sum(reward.similarity or 0.0 for reward in found) / len(found),
        status="scored",
    )


def success(group: Group) -> float | None:
    """Mean reward of a group in [0, 1]; malformed counts 0, as does an episode that a limit ended without a reward.

    None when nothing is known.
    """
    known = [
        0.0 if math.isnan(reward.value) else max(reward.value, 0.0)
        for episode, reward in zip(episodes_of(group), group.rewards, strict=True)
        if not (math.isnan(reward.value) and episode.ended)
    ]
    return sum(known) / len(known) if known else None


def turn_verdict(group: Group, epsilon: float) -> Verdict:
    """Kept iff the rewards of some turn group deviate by more than epsilon."""
    turns = [turn for places in _turn_groups(group) for _, turn in places]
    if any(_std(places) > epsilon for places in _turn_groups(group)):
        return "kept"
    if len(turns) < 2:
        return "without_reward"
    if all(_value(turn) < 0 for turn in turns):
        return "all_malformed"
    return "all_perfect" if all(_value(turn) == 1.0 for turn in turns) else "all_equal"


def turn_advantages(group: Group, *, epsilon: float, normalise: bool = True) -> tuple[tuple[float, ...], ...]:
    """For each episode and token the advantage of its reply in its turn group: (r - mean) / std, or r - mean.

    0 for tokens that came back, for replies without a reward, and where a turn group deviates by at most epsilon.
    """
    columns = [[0.0] * len(episode.token_ids) for episode in group.replies]
    for places in _turn_groups(group):
        std = _std(places)
        if std <= epsilon:
            continue
        mean = sum(_value(turn) for _, turn in places) / len(places)
        for number, turn in places:
            advantage = (_value(turn) - mean) / (std if normalise else 1.0)
            columns[number][turn.begin : turn.end] = [advantage] * (turn.end - turn.begin)
    return tuple(tuple(column) for column in columns)


def _turn_groups(group: Group) -> list[list[tuple[int, EpisodeTurn]]]:
    """Turns with a reward by the expert's step, each with its episode's number; broken episodes have none."""
    found: dict[int, list[tuple[int, EpisodeTurn]]] = {}
    for number, episode in enumerate(episodes_of(group)):
        for turn in episode.turns if not math.isnan(group.rewards[number].value) else ():
            if turn.known and turn.step is not None:
                found.setdefault(turn.step, []).append((number, turn))
    return [found[step] for step in sorted(found)]


def _value(turn: EpisodeTurn) -> float:
    assert turn.reward is not None
    return turn.reward.value


def _std(places: Sequence[tuple[int, EpisodeTurn]]) -> float:
    return deviation([_value(turn) for _, turn in places])

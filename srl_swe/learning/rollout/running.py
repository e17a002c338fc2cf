"""One episode while it is played: its tokens so far, why it ended, and what it was worth."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.rewards.score import StepReward

from ...conversations import Message
from ...episodes import Ending, Episode, Episodes, Opening, UnusableStart
from ..chat_tokens import ChatTokenizer
from ..episode_groups import EpisodeTurn, SampledEpisode
from ..groups import SampledReply
from ..settings import EpisodeSettings, Truncated

LIMITS = ("turn_limit", "token_limit", "time_limit", "malformed_limit")
"""Stops that truncate an episode."""


@dataclass(slots=True, kw_only=True)
class RunningEpisode:
    """Grows by `move`. `WorkspaceError` never leaves it: the episode is then over and counts for nothing."""

    opening: Opening
    start: tuple[int, ...]
    """Token ids of the opening."""
    token_ids: list[int] = field(default_factory=list)
    """What followed the opening."""
    logps: list[float] = field(default_factory=list)
    trained: list[bool] = field(default_factory=list)
    turns: list[EpisodeTurn] = field(default_factory=list)
    stop: str = ""
    outcome: StepReward | None = None
    flags: tuple[str, ...] = ()
    world_s: float = 0.0
    _episode: Episode | None = None
    _unread: tuple[Message, ...] = ()

    def begin(self, episodes: Episodes, task: int, step: int) -> None:
        """Open the world."""
        try:
            self._episode = episodes.begin(task, step=step)
        except WorkspaceError as error:
            self._broken(error)
        except UnusableStart as error:
            self.stop, self.outcome = "unusable_start", StepReward.masked(str(error))

    def move(self, reply: SampledReply) -> None:
        """Let a sampled reply happen in the world."""
        assert self._episode is not None
        begin = len(self.token_ids)
        self._grow(reply.token_ids, reply.logps, trained=True)
        began = time.monotonic()
        try:
            seen = self._episode.reply(reply.text, ended=reply.ended)
        except WorkspaceError as error:
            self._broken(error)
            return
        self.world_s += time.monotonic() - began
        turn = EpisodeTurn(
            begin=begin, end=len(self.token_ids), malformed=seen.malformed, step=seen.step, reward=seen.reward
        )
        self.turns.append(turn)
        self.stop, self._unread = seen.stop, seen.messages

    def read(self, chat: ChatTokenizer) -> None:
        """Add the tokens of what came back. Not for several threads: tokenizers are not safe there."""
        if self.stop:
            return
        added = chat.continuation(self.opening.messages, self._unread, self.opening.tools)
        if self.token_ids[-1] != chat.tokenizer.eos_token_id:
            added = (chat.tokenizer.eos_token_id, *added)  # the reply was cut off
        self._grow(added, (math.nan,) * len(added), trained=False)

    def limit(self, settings: EpisodeSettings, max_reply_tokens: int) -> None:
        """End the episode when it has reached a limit."""
        recent = self.turns[-settings.max_malformed :]
        if self.stop:
            return
        if len(recent) == settings.max_malformed and all(turn.malformed for turn in recent):
            self.stop = "malformed_limit"
        elif len(self.turns) >= settings.max_turns:
            self.stop = "turn_limit"
        elif self.world_s > settings.time_limit_s:
            self.stop = "time_limit"
        elif len(self.start) + len(self.token_ids) + max_reply_tokens > settings.max_tokens:
            self.stop = "token_limit"

    def finish(self, truncated: Truncated, by_outcome: bool) -> None:
        """Find out what the episode was worth, and free its world."""
        episode = self._episode
        if episode is None:
            return
        try:
            if self.stop in LIMITS and (truncated == "masked" or not self.turns):
                self.outcome = StepReward.masked(self.stop)
            elif self.stop in LIMITS and truncated == "zero" and by_outcome:
                self.outcome = StepReward.outcome(succeeded=False)
            elif by_outcome and self.stop != "infra":
                ending: Ending = episode.end(stop=self.stop)
                self.outcome, self.flags = ending.reward, ending.flags
        except WorkspaceError as error:
            self._broken(error)
        finally:
            self.close()

    def close(self) -> None:
        """Free the world; a failure to is nobody's fault here."""
        episode, self._episode = self._episode, None
        if episode is not None:
            with contextlib.suppress(WorkspaceError):
                episode.close()

    def result(self, chat: ChatTokenizer) -> SampledEpisode:
        """The episode as played; trailing tokens that no reply followed are left out."""
        end = self.turns[-1].end if self.turns else 0
        ids = tuple(self.token_ids[:end])
        return SampledEpisode(
            token_ids=ids,
            logps=tuple(self.logps[:end]),
            trained=tuple(self.trained[:end]),
            text=chat.tokenizer.decode(ids, skip_special_tokens=False),
            ended=self.stop not in LIMITS,
            turns=tuple(self.turns),
            stop=self.stop,
            outcome=self.outcome,
            flags=self.flags,
            world_s=self.world_s,
        )

    def _grow(self, ids: tuple[int, ...], logps: tuple[float, ...], *, trained: bool) -> None:
        self.token_ids += ids
        self.logps += logps or (math.nan,) * len(ids)
        self.trained += [trained] * len(ids)

    def _broken(self, error: WorkspaceError) -> None:
        self.stop, self.outcome = "infra", StepReward.infra(str(error))

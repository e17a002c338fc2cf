"""Plays groups of episodes with the current model: sampling in lockstep rounds, worlds in threads.

An episode's tokens are its opening, then replies exactly as they were sampled and what came back, tokenized once: a
tree's trunk is the opening, and each episode of the group a branch whose loss is on its own replies alone.

Back-pressure: at most `parallel` episodes are alive. All of them get their next reply by one call of the sampler, then
all worlds move at once; what an ended episode was worth is found out while the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from ...episodes import Episodes, Opening
from ..chat_tokens import ChatTokenizer, Trunk, TrunkTarget
from ..episode_groups import SampledEpisode, episode_reward
from ..groups import Group, SampledReply
from ..settings import EpisodeSettings
from .running import RunningEpisode
from .sampler import ReplySampler, Request
from .sampling import seed_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a group's episodes begin: a task, after the expert's first `step` turns."""

    task: int
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One episode to be played: which group, which member of it."""

    group: int
    member: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePlayer:
    """Plays episodes of one set of tasks."""

    episodes: Episodes
    sampler: ReplySampler
    chat: ChatTokenizer
    settings: EpisodeSettings
    max_reply_tokens: int
    by_outcome: bool = True
    """Ask for each episode's verdict; otherwise its reward is the mean of its replies' own rewards."""

    def play(
        self, model: Any, starts: Sequence[Start], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        """One group of `replies` episodes per start, in order; the replies of a group are `SampledEpisode`s.

        Draws depend on the seed, the opening's name and the member, not on what else is played. An episode that the
        infrastructure broke has the reward `infra`, one that could not begin `masked`.
        """
        openings = [self.episodes.opening(start.task, step=start.step) for start in starts]
        trunks = [self._trunk(opening, start) for opening, start in zip(openings, starts, strict=True)]
        seats = [Seat(group=group, member=member) for group in range(len(starts)) for member in range(replies)]
        played: dict[Seat, SampledEpisode] = {}
        for at in range(0, len(seats), self.settings.parallel):
            wave = {
                seat: RunningEpisode(opening=openings[seat.group], start=trunks[seat.group].token_ids)
                for seat in seats[at : at + self.settings.parallel]
            }
            self._play_wave(model, wave, starts, trunks, seed=seed, greedy=greedy)
            played.update({seat: episode.result(self.chat) for seat, episode in wave.items()})
        return tuple(
            self._group(trunk, [played[Seat(group=number, member=member)] for member in range(replies)])
            for number, trunk in enumerate(trunks)
        )

    def _trunk(self, opening: Opening, start: Start) -> Trunk:
        ids, prefix = self.chat.prompt(opening.messages, opening.tools)
        target = TrunkTarget(step=start.step, prompt_end=len(ids), suffix=(), expert_span=(len(ids), len(ids)))
        return Trunk(conversation=opening.name, token_ids=ids, targets=(target,), reply_prefix=prefix)

    def _play_wave(
        self,
        model: Any,
        wave: dict[Seat, RunningEpisode],
        starts: Sequence[Start],
        trunks: Sequence[Trunk],
        *,
        seed: int,
        greedy: bool,
    ) -> None:
        """Play all episodes of a wave to their ends."""
        with _alive(wave) as pool:
            begun = [
                pool.submit(episode.begin, self.episodes, starts[seat.group].task, starts[seat.group].step)
                for seat, episode in wave.items()
            ]
            _wait(begun)
            for episode in wave.values():
                episode.limit(self.settings, self.max_reply_tokens)
            endings: list[Future[None]] = []
            self._end(wave, pool, endings)
            for turn in range(self.settings.max_turns):
                live = [seat for seat, episode in wave.items() if not episode.stop]
                if not live:
                    break
                said = self._sampled(model, wave, live, trunks, seed=seed_of(seed, turn), greedy=greedy)
                moves = [pool.submit(wave[seat].move, reply) for seat, reply in zip(live, said, strict=True)]
                _wait(moves)
                for seat in live:
                    wave[seat].read(self.chat)
                    wave[seat].limit(self.settings, self.max_reply_tokens)
                self._end({seat: wave[seat] for seat in live}, pool, endings)
            _wait(endings)

    def _end(self, moved: dict[Seat, RunningEpisode], pool: ThreadPoolExecutor, endings: list[Future[None]]) -> None:
        """Have the verdicts on episodes that are over found out, or free them where none is wanted."""
        endings += [
            pool.submit(episode.finish, self.settings.truncated, self.by_outcome)
            for episode in moved.values()
            if episode.stop
        ]

    def _sampled(
        self,
        model: Any,
        wave: dict[Seat, RunningEpisode],
        live: Sequence[Seat],
        trunks: Sequence[Trunk],
        *,
        seed: int,
        greedy: bool,
    ) -> list[SampledReply]:
        """The next reply of each live episode: their openings are shared, what followed is a suffix of their own."""
        requests: list[Request] = []
        for number, members in groupby(live, key=lambda seat: seat.group):
            opening = trunks[number]
            targets = tuple(
                TrunkTarget(
                    step=seat.member,
                    prompt_end=len(opening.token_ids),
                    suffix=tuple(wave[seat].token_ids),
                    expert_span=(0, 0),
                )
                for seat in members
            )
            requests.append((replace(opening, targets=targets), tuple(range(len(targets)))))
        groups = self.sampler.sample(model, requests, replies=1, seed=seed, greedy=greedy)
        return [group.replies[0] for group in groups]

    def _group(self, trunk: Trunk, episodes: Sequence[SampledEpisode]) -> Group:
        rewards = tuple(episode_reward(episode) for episode in episodes)
        return Group(trunk=trunk, target=0, replies=tuple(episodes), rewards=rewards)


@contextmanager
def _alive(wave: dict[Seat, RunningEpisode]) -> Iterator[ThreadPoolExecutor]:
    """Threads for a wave. When something breaks, what has not begun is given up; nothing of the wave stays open."""
    pool = ThreadPoolExecutor(max_workers=len(wave), thread_name_prefix="episode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for episode in wave.values():
            episode.close()
        pool.shutdown(wait=True)


def _wait(futures: Sequence[Future[None]]) -> None:
    for future in futures:
        future.result()

"""A world without a workspace: guess a letter. And a sampler that says what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from srl_swe.conversations import Message
from srl_swe.episodes import Ending, Opening, Seen, UnusableStart
from srl_swe.learning.chat_tokens import ChatTokenizer
from srl_swe.learning.groups import Group
from srl_swe.learning.rollout.sampler import Request, sampled_reply
from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.rewards.score import StepReward


@dataclass
class Guess:
    """`wait` goes on, `well` with a reward; `break` breaks the world, `?` is malformed, anything else is the answer."""

    world: Guessing
    task: int
    said: list[str] = field(default_factory=list)

    def reply(self, text: str, *, ended: bool) -> Seen:
        self.said.append(text)
        if text == "break":
            raise WorkspaceError("broken")
        if text == "?" or not ended:
            return Seen(messages=(Message(role="user", content="what?"),), malformed="what" if ended else "truncated")
        if text == "well":
            return Seen(messages=(Message(role="user", content="go on\n"),), step=0, reward=StepReward.scored(0.5))
        if text == "wait":
            return Seen(messages=(Message(role="user", content=f"turn {len(self.said)}\n"),))
        return Seen(stop="answered", step=0, reward=StepReward.scored(0.25))

    def end(self, *, stop: str) -> Ending:
        return Ending(reward=StepReward.outcome(succeeded=self.said[-1] == "abc"[self.task]), flags=("seen",))

    def close(self) -> None:
        self.world.closed(self)


@dataclass
class Guessing:
    """Three tasks; task n wants the n-th letter."""

    open: list[Guess] = field(default_factory=list)
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    bad_start: int = -1

    def __len__(self) -> int:
        return 3

    def expert_turns(self, task: int) -> int:
        return 0

    def opening(self, task: int, *, step: int = 0) -> Opening:
        messages = (Message(role="system", content="Guess."), Message(role="user", content=f"letter {task}"))
        return Opening(name=f"task{task}", messages=messages)

    def begin(self, task: int, *, step: int = 0) -> Guess:
        if task == self.bad_start:
            raise UnusableStart("another outcome")
        made = Guess(self, task)
        with self.lock:
            self.open.append(made)
            self.most = max(self.most, len(self.open))
        return made

    def closed(self, guess: Guess) -> None:
        with self.lock:
            self.open = [one for one in self.open if one is not guess]


@dataclass
class Saying:
    """Says `script(trunk's name, turn of the call)`, for each target in turn; a reply `...x` is cut off."""

    chat: ChatTokenizer
    script: Callable[[str, int, int], str]
    calls: list[Sequence[Request]] = field(default_factory=list)

    def sample(
        self, model: Any, requests: Sequence[Request], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        turn = len(self.calls)
        self.calls.append(requests)
        return tuple(
            Group(trunk=trunk, target=target, replies=(self._reply(trunk, target, turn),), rewards=())
            for trunk, targets in requests
            for target in targets
        )

    def _reply(self, trunk: Any, target: int, turn: int) -> Any:
        text = self.script(trunk.conversation, trunk.targets[target].step, turn)
        ids = self.chat.tokenizer.encode(text.removesuffix("..."), add_special_tokens=False)
        ended = [] if text.endswith("...") else [self.chat.tokenizer.eos_token_id]
        return sampled_reply(self.chat, trunk, [*ids, *ended], [-0.5] * (len(ids) + len(ended)))

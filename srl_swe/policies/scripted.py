"""A policy that gives fixed replies: for tests, for examples, and for finding out what the rest costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..config import read_text
from ..conversations import Message
from .protocol import Completion, Sampling


class Scripted:
    """Gives the n-th reply at a conversation's n-th turn, and the last one from then on.

    It keeps no state: the turn is how many assistant messages the conversation holds, so that many episodes may
    share one policy.
    """

    def __init__(self, replies: Sequence[str], *, name: str = "scripted") -> None:
        if not replies:
            raise ConfigError("a scripted policy needs at least one reply")
        self._replies = tuple(replies)
        self._name = name

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    def complete(self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[object] = ()) -> Completion:
        """The reply of this turn; tokens are counted as white-space separated words."""
        turn = sum(message.role == "assistant" for message in messages)
        text = self._replies[min(turn, len(self._replies) - 1)]
        return Completion(
            text=text,
            finish="stop",
            prompt_tokens=sum(len(message.content.split()) for message in messages),
            completion_tokens=len(text.split()),
        )

    def close(self) -> None:
        """Nothing is held."""


def read_script(path: Path) -> Scripted:
    """A scripted policy from a text file whose replies are separated by lines of `=====`; raises ConfigError."""
    text = read_text(path)
    replies = tuple(part.strip("\n") for part in f"\n{text}\n".split("\n=====\n"))
    return Scripted(replies, name=f"scripted-{path.stem}")

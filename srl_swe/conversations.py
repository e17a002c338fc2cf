"""Conversations: the chat messages of one expert trajectory, and which of them a model learns to write.

This is all that `learning/` sees of a domain. A target is one assistant message; the messages before it are its
prompt, so the prompts of one conversation are nested prefixes of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from srl_swe_envs.rewards.score import StepReward

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An assistant message to learn: `messages[:message]` is its prompt."""

    message: int
    step: int
    """Which step of the conversation's source this is; with the conversation's id it names the step for scoring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Messages of one trajectory with its targets in order."""

    id: str
    messages: tuple[Message, ...]
    targets: tuple[Target, ...]
    tools: tuple[object, ...] = ()
    """JSON function schemas handed to the chat template."""


class ReplyScorer(Protocol):
    """Scores replies to one target; the only thing that knows what a good reply is."""

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """One reward per reply, in order; `truncated` marks replies that hit the token limit."""
        ...

    def expert(self, conversation: str, step: int) -> str:
        """The expert's action as text, for samples shown to people."""
        ...

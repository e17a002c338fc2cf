"""Episodes: the learner's own way through a task, reply after reply, as learning sees it.

A domain offers `Episodes`; what a reply does in its world, and what a task's end is worth, stay with the domain. A
reply is text in, messages come back, and at the end there is one reward. Mistakes of the learner are part of the
episode; WorkspaceError means that the infrastructure failed, and such an episode counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from srl_swe_envs.errors import SrlSweError
from srl_swe_envs.rewards.score import StepReward

from .conversations import Message


class UnusableStart(SrlSweError):
    """Raised when an expert's way can't be repeated here, so that no episode can begin at its step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What all episodes of a group have read when they begin."""

    name: str
    """The task's id or its trajectory's; draws depend on it."""
    messages: tuple[Message, ...]
    tools: tuple[object, ...] = ()
    """JSON function schemas handed to the chat template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reply led to."""

    messages: tuple[Message, ...] = ()
    """What the learner reads before its next reply."""
    malformed: str = ""
    """Why the reply could not be used."""
    stop: str = ""
    """Why the episode is over by the reply (`submitted`, `answered`, ...); empty while it goes on."""
    step: int | None = None
    """The expert's step that the reply was compared with, where there is one."""
    reward: StepReward | None = None
    """What that comparison gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an episode was worth."""

    reward: StepReward
    """1 or 0 by the task's own verdict (`StepReward.outcome`)."""
    flags: tuple[str, ...] = ()
    """Signs, by name, that the end was found or faked rather than worked out."""


class Episode(Protocol):
    """One episode that has begun. Many are alive at once; each is used by one thread at a time."""

    def reply(self, text: str, *, ended: bool) -> Seen:
        """Let a reply happen; `ended` is False when the token limit cut it off. Raises WorkspaceError."""
        ...

    def end(self, *, stop: str) -> Ending:
        """The verdict on what the episode left, once, after its last reply. Raises WorkspaceError.

        `stop` is the reply's, or the limit that ended the episode: `turn_limit`, `token_limit`, `time_limit`,
        `malformed_limit`.
        """
        ...

    def close(self) -> None:
        """Free what it holds; also without an end, and more than once."""
        ...


class Episodes(Protocol):
    """The tasks of a set, numbered from 0, and how episodes of them begin."""

    def __len__(self) -> int:
        """How many tasks there are."""
        ...

    def expert_turns(self, task: int) -> int:
        """Turns of the expert that an episode can begin after; 0 where there is no expert."""
        ...

    def opening(self, task: int, *, step: int = 0) -> Opening:
        """What episodes have read that begin after the expert's first `step` turns."""
        ...

    def begin(self, task: int, *, step: int = 0) -> Episode:
        """A fresh episode. Raises WorkspaceError, UnusableStart. Called from several threads."""
        ...

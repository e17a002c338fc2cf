"""What a policy is: messages in, one completion out, and a failure of its machinery that is nobody's reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from srl_swe_envs.errors import SrlSweError

from ..conversations import Message

Finish: TypeAlias = Literal["stop", "length"]
"""`length`: the reply hit its token limit, or the prompt left no room for one."""


class PolicyError(SrlSweError, RuntimeError):
    """Raised when a model could not be asked: its server hangs, answers garbage, or is gone.

    Like `WorkspaceError` it is infrastructure's failure: never a reply, never a reward.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a reply is drawn; temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048
    """Longest reply in tokens."""
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply."""

    text: str
    finish: Finish
    prompt_tokens: int
    """0 where the policy does not count."""
    completion_tokens: int
    duration_s: float = 0.0


class Policy(Protocol):
    """Chooses replies. Several threads may ask at once."""

    @property
    def name(self) -> str:
        """A name for reports and swebench's `model_name_or_path`."""
        ...

    def complete(self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[object] = ()) -> Completion:
        """The reply to a conversation; raises PolicyError when there is none to be had.

        `tools` are JSON function schemas for the chat template.
        """
        ...

    def close(self) -> None:
        """Give back what the policy holds (a server process, memory)."""
        ...

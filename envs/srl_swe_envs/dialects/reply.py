"""What all dialects share: the reply type, the thought block, and the reasons why a reply is malformed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from ..actions import Action
from ..errors import MalformedReply

REASONS = {
    "no_thought": "the reply does not begin with <think>",
    "unclosed_thought": "<think> is never closed",
    "no_action": "nothing after the thought is an action",
    "two_actions": "more than one action",
    "unclosed_action": "the action is cut off or not closed",
    "unknown_tool": "a tool that does not exist",
    "bad_arguments": "arguments that the tool does not take, lacks, or can't read",
    "truncated": "the reply hit the token limit before it ended",
}
"""Stable reason codes and what they mean."""

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A well-formed reply: private thought, then one action."""

    thought: str
    action: Action


class Dialect(Protocol):
    """How one action is written as text; `parse_action` and `render_action` are inverse."""

    @property
    def name(self) -> str:
        """The dialect's name in configurations and `agent_prompts/`."""
        ...

    def parse_action(self, text: str, foreign_tools: Collection[str]) -> Action:
        """The one action in a reply's text after the thought; raises MalformedReply."""
        ...

    def render_action(self, action: Action) -> str:
        """The action's text; raises ConfigError when the dialect can't say it."""
        ...

    def split_actions(self, text: str) -> tuple[str, ...]:
        """The texts of a reply's actions, one each; what `parse_action` refuses may be among them, or be left out."""
        ...


def split_thought(text: str, *, required: bool = True) -> tuple[str, str]:
    """The thought (without its tags and outer white space) and the text after it.

    An empty thought block is well formed: whether a thought is worth anything is for the reward to find out.
    """
    body = text.lstrip()
    if not body.startswith(_OPEN):
        if required:
            raise MalformedReply("no_thought", "the reply must begin with <think>")
        return "", text
    thought, closed, rest = body[len(_OPEN) :].partition(_CLOSE)
    if not closed:
        raise MalformedReply("unclosed_thought", "the thought's </think> is missing")
    return thought.strip(), rest


def join_thought(thought: str, action_text: str) -> str:
    """Inverse of `split_thought` followed by parsing the rest."""
    return f"{_OPEN}\n{thought.strip()}\n{_CLOSE}\n\n{action_text}"

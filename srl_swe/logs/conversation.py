"""Reads a chat conversation into turns; the chat-like formats differ only in their `Rules`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from srl_swe_envs.actions import Action
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.toolsets import Toolset

from .messages import Message
from .turns import TurnBuilder, joined_thought

TextReader: TypeAlias = Callable[[str], tuple[str, Action]]
"""Thought and action of a reply's text; raises MalformedReply."""

_EDGE_CHARS = 300
_HEAD_CHARS = 1000
"""Where a harness' own words stand in a message."""
_EXIT_CODE_FIRST = re.compile(r"\s*<returncode>(-?\d+)</returncode>|Exit code:? (?:Error: Exit code )?(\d+)\b")
_EXIT_CODE_LAST = re.compile(r"exit code:? (-?\d+)\.?\]?\s*\Z")
_ELIDED = re.compile(r"<elided_chars>\s*(\d+) characters elided|(\d+) characters were elided")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one format writes conversations."""

    toolset: Toolset
    read_text: TextReader | None = None
    """Reads the action out of a reply without native tool calls."""
    to_action: Callable[[Action], Action] = lambda action: action
    """Last word on an action, e.g. that a certain shell command is the submission."""
    rejections: re.Pattern[str] | None = None
    """User messages saying that a reply was not accepted; not every log keeps the reply."""
    fake_user: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """User messages that no user wrote, by the reason they are dropped for."""
    demonstration: re.Pattern[str] | None = None
    """Marks a message before the first reply that holds a worked example of another task and nothing else."""


def read_conversation(messages: Sequence[Message], rules: Rules, builder: TurnBuilder) -> None:
    """Give every message to the builder, once."""
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        if message.role in ("system", "developer"):
            builder.note("system prompt")
        elif message.role in ("assistant", "ai", "model", "gpt"):
            if following is not None and _is_rejection(following, rules):
                builder.drop("format-error retry", max(1, len(message.calls)))
            else:
                _read_reply(message, rules, builder)
        elif message.role in ("tool", "function"):
            _observe(message, builder)
        elif message.role == "exit":
            builder.drop("exit pseudo-step")
        else:
            _read_user(message, rules, builder)


def _read_reply(message: Message, rules: Rules, builder: TurnBuilder) -> None:
    if message.calls:
        actions = []
        for record in message.calls:
            if record.call is None:
                builder.drop("unreadable arguments")
            else:
                actions.append((rules.to_action(rules.toolset.read_call(record.call)), record.id))
        builder.reply(joined_thought(message.reasoning, message.text), actions)
        return
    if rules.read_text is None:
        builder.drop("reply without an action")
        return
    try:
        thought, action = rules.read_text(message.text)
    except MalformedReply as error:
        builder.drop("reply without an action" if error.reason == "no_action" else f"malformed reply: {error.reason}")
        return
    builder.reply(joined_thought(message.reasoning, thought), [(rules.to_action(action), None)])


def _is_rejection(message: Message, rules: Rules) -> bool:
    if message.role != "user" or rules.rejections is None:
        return False
    return bool(rules.rejections.search(message.text[:_HEAD_CHARS]))


def _read_user(message: Message, rules: Rules, builder: TurnBuilder) -> None:
    text = message.text
    if rules.demonstration is not None and rules.demonstration.search(text):
        builder.drop("demonstration")
    elif _is_rejection(message, rules):
        builder.drop("format-error message")
    elif text.startswith("diff --git ") and builder.has_submitted():
        builder.drop("exit pseudo-step")
    elif reason := next((name for name, pattern in rules.fake_user.items() if pattern.search(text[:_HEAD_CHARS])), ""):
        builder.drop(reason)
    elif not builder.has_turns():
        builder.note("task")
    elif builder.awaits_observation() and rules.read_text is not None:
        _observe(message, builder)
    else:
        builder.drop("further user message")


def _observe(message: Message, builder: TurnBuilder) -> None:
    text = message.text
    builder.observe(text, call_id=message.call_id, exit_code=exit_code_of(text), elided_chars=elided_in(text))


def exit_code_of(text: str) -> int | None:
    """The exit code that a harness wrote around a command's output, where one did."""
    match = _EXIT_CODE_FIRST.match(text[:_EDGE_CHARS]) or _EXIT_CODE_LAST.search(text[-_EDGE_CHARS:])
    return int(next(group for group in match.groups() if group is not None)) if match else None


def elided_in(text: str) -> int:
    """How many characters the harness says it left out of an observation."""
    match = _ELIDED.search(text)
    return int(match[1] or match[2]) if match else 0

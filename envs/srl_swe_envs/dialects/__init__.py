"""Reply dialects: how a model writes a thought and one action as text, and how it is read back.

Every reply is `<think>...</think>` followed by exactly one action; the dialects differ in how the action is written:

* `xml`: `<function=bash><parameter=command>...` as SWE-agent and SWE-smith do;
* `fence`: one ```` ```bash ```` block as mini-swe-agent does; only shell commands and the submission can be said;
* `tool_calls`: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, the native form of Hermes-style chat
  templates (Qwen2.5, Qwen3).

`parse_reply` and `render_reply` are inverse: `parse_reply(render_reply(reply, d), d) == reply` for every reply whose
action the dialect can say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..actions import Action
from ..errors import ConfigError, MalformedReply
from . import fence, tool_calls, xml
from .reply import REASONS, Dialect, Reply, join_thought, split_thought

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (xml.XML, fence.FENCE, tool_calls.TOOL_CALLS)}


def dialect_named(name: str) -> Dialect:
    """The dialect of that name; raises ConfigError naming the known ones."""
    if name not in DIALECTS:
        raise ConfigError(f"unknown dialect {name!r}; known: {', '.join(DIALECTS)}")
    return DIALECTS[name]


def parse_reply(
    text: str, dialect: str, *, thought_required: bool = True, foreign_tools: Collection[str] = ()
) -> Reply:
    """The thought and action of a model's reply; raises MalformedReply, whose `reason` is one of REASONS.

    `foreign_tools` names tools outside the dialect's toolset that are accepted as an OtherCall: those that the
    expert's own history uses.
    """
    thought, rest = split_thought(text, required=thought_required)
    return Reply(thought=thought, action=dialect_named(dialect).parse_action(rest, foreign_tools))


def render_reply(reply: Reply, dialect: str) -> str:
    """The text of a reply; raises ConfigError when the dialect can't say the action."""
    return join_thought(reply.thought, dialect_named(dialect).render_action(reply.action))


def split_reply(text: str, dialect: str, *, thought_required: bool = True) -> tuple[str, ...]:
    """A reply of one or more actions as replies of one action each; the first has the thought, the others none.

    Raises MalformedReply when there is no thought or nothing that looks like an action.
    """
    thought, rest = split_thought(text, required=thought_required)
    parts = dialect_named(dialect).split_actions(rest)
    if not parts:
        parse_reply(text, dialect, thought_required=thought_required)  # says why there is none
        raise MalformedReply("no_action", "at least one action is expected")
    return tuple(join_thought(thought if place == 0 else "", part) for place, part in enumerate(parts))


def parse_actions(
    text: str, dialect: str, *, thought_required: bool = True, foreign_tools: Collection[str] = ()
) -> tuple[Action, ...]:
    """The actions of a reply that may hold several; raises MalformedReply as `parse_reply` does."""
    parts = split_reply(text, dialect, thought_required=thought_required)
    return tuple(parse_reply(part, dialect, foreign_tools=foreign_tools).action for part in parts)


def render_actions(thought: str, actions: Sequence[Action], dialect: str, *, with_thought: bool = True) -> str:
    """A reply of several actions (inverse of `parse_actions`); raises ConfigError when the dialect can't say them."""
    known = dialect_named(dialect)
    written = [known.render_action(action) for action in actions]
    text = "\n\n".join(written)
    if known.split_actions(text) != tuple(written):
        raise ConfigError(f"the {dialect} dialect can't say these actions in one reply: they hold its own syntax")
    return join_thought(thought, text) if with_thought else text


__all__ = [
    "DIALECTS",
    "REASONS",
    "Dialect",
    "Reply",
    "dialect_named",
    "parse_actions",
    "parse_reply",
    "render_actions",
    "render_reply",
    "split_reply",
]

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

from collections.abc import Collection

from ..errors import ConfigError
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


__all__ = ["DIALECTS", "REASONS", "Dialect", "Reply", "dialect_named", "parse_reply", "render_reply"]

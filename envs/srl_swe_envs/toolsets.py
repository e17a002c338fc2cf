"""How harnesses spell actions: tool names and arguments, as tables read in both directions.

A `Spelling` says that one tool (with some constant arguments) means one kind of action. A `Toolset` is the list of
spellings that a harness offers; `to_action` and `to_call` are inverse up to the arguments named as `ignored`, which
only the recording harness understood (`security_risk`, a time-out) and which change nothing in the action's meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .actions import Action, Create, Insert, Json, OtherCall, Replace, Shell, Submit, Undo, View
from .errors import ConfigError, MalformedReply


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call as a harness or a model writes it."""

    name: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """`tool(**constants, **fields)` means `kind(**fields)`."""

    kind: type[Any]
    tool: str
    constants: Mapping[str, Json] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """Argument name -> field name of the action."""
    optional: frozenset[str] = frozenset()
    """Arguments that may be missing; the field's default (or "") is used then."""
    ignored: frozenset[str] = frozenset()

    def matches(self, call: ToolCall) -> bool:
        """Whether tool name and constant arguments are this spelling's."""
        return call.name == self.tool and all(call.arguments.get(k) == v for k, v in self.constants.items())

    def action(self, call: ToolCall) -> Action:
        """The action of a matching call; raises MalformedReply(bad_arguments)."""
        given = {k: v for k, v in call.arguments.items() if v is not None and k not in self.constants}
        unknown = given.keys() - self.fields.keys() - self.ignored
        missing = self.fields.keys() - given.keys() - self.optional
        if unknown or missing:
            what = ", ".join([f"unknown {n}" for n in sorted(unknown)] + [f"missing {n}" for n in sorted(missing)])
            raise MalformedReply("bad_arguments", f"{self.tool}: {what}")
        values = {name: _value(name, given[arg]) for arg, name in self.fields.items() if arg in given}
        if self.kind is Replace:
            values.setdefault("new", "")
        action: Action = self.kind(**values)
        return action

    def call(self, action: Action) -> ToolCall:
        """The call of an action of this spelling's kind."""
        arguments: dict[str, Json] = dict(self.constants)
        for argument, name in self.fields.items():
            value = getattr(action, name)
            if value is None or (name == "message" and value == ""):
                continue
            arguments[argument] = list(value) if isinstance(value, tuple) else value
        return ToolCall(name=self.tool, arguments=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolset:
    """The tools of one harness."""

    name: str
    spellings: tuple[Spelling, ...]

    def to_action(self, call: ToolCall, *, foreign_tools: Collection[str] = ()) -> Action:
        """The action a call means; a tool named in `foreign_tools` gives an OtherCall.

        Raises MalformedReply(unknown_tool | bad_arguments).
        """
        for spelling in self.spellings:
            if spelling.matches(call):
                return spelling.action(call)
        if call.name in foreign_tools:
            return OtherCall(tool=call.name, arguments=call.arguments)
        tools = sorted({spelling.tool for spelling in self.spellings})
        if call.name in tools:
            raise MalformedReply("bad_arguments", f"{call.name}: no such command {call.arguments.get('command')!r}")
        raise MalformedReply("unknown_tool", f"no tool {call.name!r}; known: {', '.join(tools)}")

    def to_call(self, action: Action) -> ToolCall:
        """The call that says an action; raises ConfigError when this toolset has no words for it."""
        if isinstance(action, OtherCall):
            return ToolCall(name=action.tool, arguments=action.arguments)
        for spelling in self.spellings:
            if isinstance(action, spelling.kind):
                return spelling.call(action)
        raise ConfigError(f"toolset {self.name} can't say {type(action).__name__}")

    def read_call(self, call: ToolCall) -> Action:
        """The action of a recorded call: whatever this toolset does not know becomes an OtherCall, nothing is lost."""
        try:
            return self.to_action(call)
        except MalformedReply:
            return OtherCall(tool=call.name, arguments={k: v for k, v in call.arguments.items() if v is not None})


def _value(name: str, value: Json) -> object:
    """An argument's value as its field wants it; XML carries numbers and ranges as text."""
    if name == "lines":
        return _range(value)
    if name == "after_line":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,18}\s*", value):
            return int(value)
        raise MalformedReply("bad_arguments", f"a line number is expected, not {value!r}")
    if not isinstance(value, str):
        raise MalformedReply("bad_arguments", f"{name}: text is expected, not {type(value).__name__}")
    return value


def _range(value: Json) -> tuple[int, int]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # thousands of brackets are the agent's mistake too
            value = None
    if isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value):
        return (value[0], value[1])  # type: ignore[return-value]  # checked in the line above
    raise MalformedReply("bad_arguments", f"a range [first, last] is expected, not {value!r}")


def _editor(tool: str, ignored: frozenset[str] = frozenset()) -> tuple[Spelling, ...]:
    """Spellings of the common `str_replace_editor` (SWE-agent, OpenHands, Anthropic's text editor)."""

    def command(kind: type[Any], name: str, fields: dict[str, str], optional: frozenset[str]) -> Spelling:
        return Spelling(
            kind=kind,
            tool=tool,
            constants={"command": name},
            fields=fields,
            optional=optional,
            ignored=ignored,
        )

    none: frozenset[str] = frozenset()
    return (
        command(View, "view", {"path": "path", "view_range": "lines"}, frozenset({"view_range"})),
        command(Create, "create", {"path": "path", "file_text": "text"}, none),
        command(
            Replace,
            "str_replace",
            {"path": "path", "old_str": "old", "new_str": "new"},
            frozenset({"new_str"}),
        ),
        command(Insert, "insert", {"path": "path", "insert_line": "after_line", "new_str": "text"}, none),
        command(Undo, "undo_edit", {"path": "path"}, none),
    )


def _shell(tool: str, ignored: frozenset[str] = frozenset()) -> Spelling:
    return Spelling(kind=Shell, tool=tool, fields={"command": "command"}, ignored=ignored)


SWE_AGENT = Toolset(
    name="swe_agent",
    spellings=(_shell("bash"), *_editor("str_replace_editor"), Spelling(kind=Submit, tool="submit")),
)
"""SWE-agent 1.x and SWE-smith (upstream `config/default.yaml`)."""

MINI_SWE_AGENT = Toolset(name="mini_swe_agent", spellings=(_shell("bash"),))
"""mini-swe-agent: one shell (upstream `minisweagent/models/utils/actions_toolcall.py`)."""

_RISK = frozenset({"security_risk"})
OPENHANDS = Toolset(
    name="openhands",
    spellings=(
        _shell("execute_bash", _RISK | {"timeout"}),
        *_editor("str_replace_editor", _RISK),
        Spelling(
            kind=Submit,
            tool="finish",
            fields={"message": "message"},
            optional=frozenset({"message"}),
            ignored=_RISK | {"task_completed"},
        ),
    ),
)
"""OpenHands' CodeActAgent (upstream `openhands/agenthub/codeact_agent/tools`)."""

_CLAUDE_NOISE = frozenset({"description", "timeout"})
CLAUDE_CODE = Toolset(
    name="claude_code",
    spellings=(
        _shell("Bash", _CLAUDE_NOISE),
        Spelling(kind=View, tool="Read", fields={"file_path": "path"}),
        Spelling(kind=Create, tool="Write", fields={"file_path": "path", "content": "text"}),
        Spelling(
            kind=Replace,
            tool="Edit",
            fields={"file_path": "path", "old_string": "old", "new_string": "new"},
        ),
    ),
)
"""Claude Code's file and shell tools; reads with an offset and `replace_all` edits stay OtherCalls."""

TOOLSETS = {toolset.name: toolset for toolset in (SWE_AGENT, MINI_SWE_AGENT, OPENHANDS, CLAUDE_CODE)}

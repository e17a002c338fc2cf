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
from typing import Any, Literal

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
    defaults: Mapping[str, Json] = field(default_factory=dict)
    """Arguments that may be spelled out with the value they have anyway; any other value is another action."""
    command_form: Literal["text", "bash_lc", "keystrokes"] = "text"
    """How a command is written: as it is, as `["bash", "-lc", command]`, or as keys typed at a terminal, with Enter."""

    def matches(self, call: ToolCall) -> bool:
        """Whether tool name and constant arguments are this spelling's."""
        return call.name == self.tool and all(call.arguments.get(k) == v for k, v in self.constants.items())

    def action(self, call: ToolCall) -> Action:
        """The action of a matching call; raises MalformedReply(bad_arguments)."""
        given = {
            k: v
            for k, v in call.arguments.items()
            if v is not None and k not in self.constants and not self._is_default(k, v)
        }
        unknown = given.keys() - self.fields.keys() - self.ignored
        missing = self.fields.keys() - given.keys() - self.optional
        if unknown or missing:
            what = ", ".join([f"unknown {n}" for n in sorted(unknown)] + [f"missing {n}" for n in sorted(missing)])
            raise MalformedReply("bad_arguments", f"{self.tool}: {what}")
        values = {
            name: _value(name, given[arg], self.command_form) for arg, name in self.fields.items() if arg in given
        }
        if self.kind is Replace:
            values.setdefault("new", "")
        action: Action = self.kind(**values)
        return action

    def _is_default(self, argument: str, value: Json) -> bool:
        """Whether an argument says what would hold without it; XML carries truth values as text."""
        return argument in self.defaults and str(value).lower() == str(self.defaults[argument]).lower()

    def call(self, action: Action) -> ToolCall:
        """The call of an action of this spelling's kind."""
        arguments: dict[str, Json] = dict(self.constants)
        for argument, name in self.fields.items():
            value = getattr(action, name)
            if value is None or (name == "message" and value == ""):
                continue
            if name == "command":
                value = _written_command(value, self.command_form)
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


def _value(name: str, value: Json, command_form: str) -> object:
    """An argument's value as its field wants it; XML carries numbers and ranges as text."""
    if name == "command":
        return _command(value, command_form)
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


def _command(value: Json, form: str) -> str:
    if form == "bash_lc":
        if isinstance(value, list) and len(value) == 3 and value[:2] == ["bash", "-lc"] and isinstance(value[2], str):
            return value[2]
        raise MalformedReply("bad_arguments", 'a command ["bash", "-lc", text] is expected')
    if not isinstance(value, str):
        raise MalformedReply("bad_arguments", f"command: text is expected, not {type(value).__name__}")
    if form == "keystrokes":
        if not value.endswith("\n"):
            raise MalformedReply("bad_arguments", "keystrokes that end in Enter are expected")
        return value[:-1]
    return value


def _written_command(command: str, form: str) -> Json:
    if form == "bash_lc":
        return ["bash", "-lc", command]
    return command + "\n" if form == "keystrokes" else command


def _range(value: Json) -> tuple[int, int]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # thousands of brackets are the agent's mistake too
            value = None
    if isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value):
        return (value[0], value[1])  # type: ignore[return-value]  # checked in the line above
    raise MalformedReply("bad_arguments", f"a range [first, last] is expected, not {value!r}")


def editor(tool: str, ignored: frozenset[str] = frozenset()) -> tuple[Spelling, ...]:
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


def shell(tool: str, ignored: frozenset[str] = frozenset(), defaults: Mapping[str, Json] | None = None) -> Spelling:
    """The spelling of a shell tool whose one argument that matters is `command`."""
    return Spelling(
        kind=Shell, tool=tool, fields={"command": "command"}, ignored=ignored, defaults=dict(defaults or {})
    )


SWE_AGENT = Toolset(
    name="swe_agent",
    spellings=(shell("bash"), *editor("str_replace_editor"), Spelling(kind=Submit, tool="submit")),
)
"""SWE-agent 1.x and SWE-smith (upstream `config/default.yaml`)."""

MINI_SWE_AGENT = Toolset(name="mini_swe_agent", spellings=(shell("bash"),))
"""mini-swe-agent: one shell (upstream `minisweagent/models/utils/actions_toolcall.py`)."""

"""What an agent can do in one turn, independent of the words a harness uses for it.

An `Action` is the meaning of one tool call. How a harness spells it (tool and argument names) is a `Toolset`'s
business, how a reply carries it (XML, a fence, native tool calls) is a dialect's. `canonical_text` is the text
that the reward compares: the content of the action with as little wrapping as keeps different actions apart,
because a shared wrapper alone lifts the similarity of unrelated commands to 0.75.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, assert_never

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Run a command in the workspace's shell."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Show a file with line numbers, or a directory's entries two levels deep."""

    path: str
    lines: tuple[int, int] | None = None
    """First and last line, one-based and inclusive; a last line of -1 is the end of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Write a file that is new (or, in some toolsets, overwrite one)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Replace the one occurrence of `old` in a file by `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Insert text after a line; line 0 is the start of the file."""

    path: str
    after_line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Take back the last edit of a file."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """End the episode; the workspace's diff is the patch."""

    message: str = ""
    """What the agent said on leaving (OpenHands' `finish` carries one); never executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCall:
    """A recorded call that the live world has no meaning for: it can be scored, never executed."""

    tool: str
    arguments: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    def __hash__(self) -> int:
        return hash((self.tool, json.dumps(dict(self.arguments), sort_keys=True)))

    def __reduce__(self) -> tuple[object, ...]:  # mapping proxies can't be pickled
        return _other_call, (self.tool, dict(self.arguments))


def _other_call(tool: str, arguments: dict[str, Json]) -> OtherCall:
    return OtherCall(tool=tool, arguments=arguments)


Action: TypeAlias = Shell | View | Create | Replace | Insert | Undo | Submit | OtherCall


def canonical_text(action: Action) -> str:
    """The text of an action that rewards compare; equal actions have equal texts, whatever harness wrote them."""
    match action:
        case Shell():
            return action.command
        case View():
            where = f" {action.lines[0]} {action.lines[1]}" if action.lines else ""
            return f"view {action.path}{where}"
        case Create():
            return f"create {action.path}\n{action.text}"
        case Replace():
            return f"replace {action.path}\n<<<<<<<\n{action.old}\n=======\n{action.new}\n>>>>>>>"
        case Insert():
            return f"insert {action.path} {action.after_line}\n{action.text}"
        case Undo():
            return f"undo {action.path}"
        case Submit():
            return "submit" + (f"\n{action.message}" if action.message else "")
        case OtherCall():
            return _call_text(action)
        case _:
            assert_never(action)


def kind_of(action: Action) -> str:
    """A short name of the action's kind for tables and counters: `shell`, `view`, ..., or the foreign tool's name."""
    if isinstance(action, OtherCall):
        return f"other:{action.tool}"
    return type(action).__name__.lower()


def _call_text(call: OtherCall) -> str:
    lines = [call.tool]
    for name, value in call.arguments.items():
        lines.append(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)

"""The `xml` dialect of SWE-agent's `xml_function_calling` parser and SWE-smith's training rows.

Only long text values are wrapped in newlines (upstream SWE-smith `traj_mgr/utils.py: transform_traj_xml`); exactly one
newline is taken off each side of those when reading. A value ends at the first `</parameter>` that is followed by
another parameter or by `</function>`; the rare text that holds such a sequence can't be said and is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..actions import Action, Json
from ..errors import ConfigError, MalformedReply
from ..toolsets import SWE_AGENT, ToolCall, Toolset

_HEADER = re.compile(r"<function=([^>\n]+)>")
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]+)>(.*?)</parameter>(?=\s*(?:<parameter=|</function>))", re.DOTALL)
_END = re.compile(r"\s*</function>")
_WRAPPED = frozenset({"file_text", "old_str", "new_str"})


@dataclass(frozen=True, slots=True)
class Xml:
    """Reads and writes `<function=NAME>` blocks of a toolset."""

    name: str = "xml"
    toolset: Toolset = SWE_AGENT

    def parse_action(self, text: str, foreign_tools: Collection[str]) -> Action:
        """The one function call of a text."""
        return self.toolset.to_action(parse_call(text), foreign_tools=foreign_tools)

    def split_actions(self, text: str) -> tuple[str, ...]:
        """Each function block; one that is not closed reaches to the end."""
        found: list[str] = []
        position = 0
        while header := _HEADER.search(text, position):
            position = _end_of_call(text, header.end())
            found.append(text[header.start() : position])
        return tuple(found)

    def render_action(self, action: Action) -> str:
        """A function block that `parse_action` reads back."""
        call = self.toolset.to_call(action)
        text = render_call(call)
        if parse_call(text) != _as_text(call):
            raise ConfigError(f"the xml dialect can't say this {type(action).__name__}: its text holds closing tags")
        return text


def parse_call(text: str, *, wrapped: Callable[[str], bool] = _WRAPPED.__contains__) -> ToolCall:
    """The one `<function=...>` block of a text, values as text; raises MalformedReply.

    `wrapped` says of which arguments one newline is taken off each side; OpenHands wraps all of them.
    """
    header = _HEADER.search(text)
    if header is None:
        raise MalformedReply("no_action", "one <function=...> block is expected")
    arguments: dict[str, Json] = {}
    position = header.end()
    while match := _PARAMETER.match(text, position):
        name, value = match[1].strip(), match[2]
        arguments[name] = _unwrap(value) if wrapped(name) else value
        position = match.end()
    end = _END.match(text, position)
    if end is None:
        reason = "bad_arguments" if "</function>" in text[position:] else "unclosed_action"
        raise MalformedReply(reason, "a call is <function=NAME>, its <parameter=...> blocks and </function>")
    if _HEADER.search(text, end.end()):
        raise MalformedReply("two_actions", "one function call is expected")
    return ToolCall(name=header[1].strip(), arguments=arguments)


def _end_of_call(text: str, position: int) -> int:
    """Where the block ends whose parameters begin at `position`; the text's end when it is not closed."""
    while match := _PARAMETER.match(text, position):
        position = match.end()
    end = _END.match(text, position)
    return end.end() if end else len(text)


def _unwrap(value: str) -> str:
    return value.removeprefix("\n").removesuffix("\n")


def _as_text(call: ToolCall) -> ToolCall:
    return ToolCall(name=call.name, arguments={name: _text(value) for name, value in call.arguments.items()})


def render_call(call: ToolCall) -> str:
    """The `<function=...>` block of a call."""
    lines = [f"<function={call.name}>"]
    for name, value in call.arguments.items():
        text = f"\n{_text(value)}\n" if name in _WRAPPED else _text(value)
        lines.append(f"<parameter={name}>{text}</parameter>")
    return "\n".join([*lines, "</function>"])


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


XML = Xml()

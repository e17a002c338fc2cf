"""Finds the action in the text of recorded replies, for logs without native tool calls."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

from srl_swe_envs.actions import Action, Json, OtherCall, Shell, Submit
from srl_swe_envs.dialects.xml import parse_call
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.toolsets import SWE_AGENT, ToolCall, Toolset

_HEADER = re.compile(r"^[ \t]*<function=", re.MULTILINE)
_BLOCK = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_WORDS = re.compile(r"\s*(\S+)[ \t]?(.*)", re.DOTALL)
_EDITOR = "str_replace_editor"

WINDOW_TOOLS = frozenset(
    {"open", "goto", "scroll_up", "scroll_down", "create", "edit", "insert", "append", "find_and_edit_span"}
    | {"search_dir", "search_file", "find_file"}
)
"""Commands of SWE-agent's file window (upstream 0.x `config/commands/`); no other shell knows them."""


def xml_reader(
    toolset: Toolset, *, wrapped: Callable[[str], bool] | None = None, unwrap: Callable[[str], str] | None = None
) -> Callable[[str], tuple[str, Action]]:
    """A reader of `<function=...>` replies; `wrapped` says which values lie between newlines of their own."""

    def read(text: str) -> tuple[str, Action]:
        thought, call = split_xml(unwrap(text) if unwrap else text, wrapped)
        return thought, toolset.read_call(call)

    return read


def split_xml(text: str, wrapped: Callable[[str], bool] | None = None) -> tuple[str, ToolCall]:
    """The text before the last function block and its call; raises MalformedReply."""
    starts = [match.start() for match in _HEADER.finditer(text)] or [text.find("<function=")]
    if starts == [-1]:
        raise MalformedReply("no_action", "no <function=...> block")
    failure: MalformedReply | None = None
    for start in reversed(starts):  # a value may hold such a line itself, then the call begins before it
        try:
            call = parse_call(text[start:]) if wrapped is None else parse_call(text[start:], wrapped=wrapped)
        except MalformedReply as error:
            failure = failure or error
        else:
            return text[:start], call
    assert failure is not None
    raise failure


def read_ticks(text: str) -> tuple[str, Action]:
    """Thought and action of a reply whose last fenced block is a SWE-agent command; raises MalformedReply."""
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        raise MalformedReply("unclosed_action" if "```" in text else "no_action", "one fenced block is expected")
    last = blocks[-1]
    return text[: last.start()], command_action(last[1])


def command_action(command: str) -> Action:
    """The action of a command as SWE-agent writes it in `action`: a shell command, a window tool, `submit`, or a
    rendered editor call."""
    command = command.removesuffix("\n")
    match = _WORDS.match(command)
    if match is None:
        return Shell(command=command)
    word, rest = match[1], match[2]
    if word == "submit" and "\n" not in rest:
        return Submit(message=rest.strip())
    if word == _EDITOR:
        return _editor_action(rest)
    if word in WINDOW_TOOLS:
        return OtherCall(tool=word, arguments={"text": rest} if rest else {})
    return Shell(command=command)


def _editor_action(rest: str) -> Action:
    """A call that was rendered as a shell line (upstream 1.x `Command.invoke_format`), quoted by `shlex.quote`."""
    try:
        words = shlex.split(rest)
        arguments: dict[str, Json] = {"command": words[0], "path": words[1]}
        index = 2
        while index < len(words):
            name = words[index].removeprefix("--")
            count = 2 if name == "view_range" else 1
            values = words[index + 1 : index + 1 + count]
            if not words[index].startswith("--") or len(values) != count:
                raise ValueError(words[index])
            arguments[name] = json.loads(f"[{','.join(values)}]") if count == 2 else values[0]
            index += 1 + count
    except (ValueError, IndexError):
        return OtherCall(tool=_EDITOR, arguments={"text": rest})
    return SWE_AGENT.read_call(ToolCall(name=_EDITOR, arguments=arguments))

"""Tools of the harnesses whose logs are read, beside the two that the dialects speak.

Every recorded call is one action of ours or an `OtherCall`; the arguments named here as ignored or as defaults are the
only ones that do not come back when an action is written as a call again.
"""

from __future__ import annotations

from collections.abc import Iterable

from .actions import Create, OtherCall, Replace, Shell, Submit, View
from .toolsets import MINI_SWE_AGENT, SWE_AGENT, Spelling, ToolCall, Toolset, editor, shell

_RISK = frozenset({"security_risk", "summary"})
_FINISH = Spelling(
    kind=Submit,
    tool="finish",
    fields={"message": "message"},
    optional=frozenset({"message"}),
    ignored=_RISK | {"task_completed"},
)


def _openhands(name: str, shell_tool: str, editor_tool: str) -> Toolset:
    spoken = shell(shell_tool, _RISK | {"timeout"}, {"is_input": False, "reset": False})
    return Toolset(name=name, spellings=(spoken, *editor(editor_tool, _RISK), _FINISH))


OPENHANDS = _openhands("openhands", "execute_bash", "str_replace_editor")
"""OpenHands' CodeActAgent (upstream `openhands/agenthub/codeact_agent/tools`)."""

OPENHANDS_SDK_EARLY = _openhands("openhands_sdk_early", "terminal", "str_replace_editor")
OPENHANDS_SDK = _openhands("openhands_sdk", "terminal", "file_editor")
"""The OpenHands SDK's default tools, before and after the editor was renamed."""

R2E_GYM = Toolset(
    name="r2e_gym",
    spellings=(shell("execute_bash"), *editor("file_editor"), Spelling(kind=Submit, tool="submit")),
)
"""R2E-Gym (upstream `src/r2egym/agenthub/tools`); its `search` and `finish` stay OtherCalls."""

R2E_SWE_MASTER = Toolset(
    name="r2e_swe_master",
    spellings=(shell("execute_bash"), *editor("str_replace_editor"), Spelling(kind=Submit, tool="submit")),
)
"""R2E-Gym with OpenHands' tools, as SWE-Master runs it."""

_CLAUDE_NOISE = frozenset({"description", "timeout"})
CLAUDE_CODE = Toolset(
    name="claude_code",
    spellings=(
        shell("Bash", _CLAUDE_NOISE, {"run_in_background": False, "dangerouslyDisableSandbox": False}),
        Spelling(kind=View, tool="Read", fields={"file_path": "path"}),
        Spelling(kind=Create, tool="Write", fields={"file_path": "path", "content": "text"}),
        Spelling(
            kind=Replace,
            tool="Edit",
            fields={"file_path": "path", "old_string": "old", "new_string": "new"},
            defaults={"replace_all": False},
        ),
    ),
)
"""Claude Code's file and shell tools; reads with an offset and `replace_all` edits stay OtherCalls."""

OPENCODE = Toolset(
    name="opencode",
    spellings=(
        shell("bash", _CLAUDE_NOISE),
        Spelling(kind=View, tool="read", fields={"filePath": "path"}),
        Spelling(
            kind=Create,
            tool="write",
            fields={"filePath": "path", "content": "text"},
            ignored=frozenset({"description"}),
        ),
        Spelling(
            kind=Replace,
            tool="edit",
            fields={"filePath": "path", "oldString": "old", "newString": "new"},
            defaults={"replaceAll": False},
        ),
    ),
)
PI = Toolset(
    name="pi",
    spellings=(
        shell("bash", frozenset({"timeout"})),
        Spelling(kind=View, tool="read", fields={"path": "path"}),
        Spelling(kind=Create, tool="write", fields={"path": "path", "content": "text"}),
        Spelling(kind=Replace, tool="edit", fields={"path": "path", "oldText": "old", "newText": "new"}),
    ),
)
HERMES = Toolset(
    name="hermes",
    spellings=(
        shell("terminal", frozenset({"timeout"}), {"background": False}),
        Spelling(kind=View, tool="read_file", fields={"path": "path"}),
        Spelling(kind=Create, tool="write_file", fields={"path": "path", "content": "text"}),
    ),
)

CODEX = Toolset(
    name="codex",
    spellings=(
        Spelling(
            kind=Shell,
            tool="shell",
            fields={"command": "command"},
            ignored=frozenset({"timeout", "timeout_ms", "justification"}),
            command_form="bash_lc",
        ),
        shell("shell_command", frozenset({"timeout_ms", "justification"}), {"login": True}),
        Spelling(
            kind=Shell,
            tool="exec_command",
            fields={"cmd": "command"},
            ignored=frozenset({"yield_time_ms", "max_output_tokens", "justification"}),
        ),
    ),
)
"""OpenAI Codex; `apply_patch` and calls in another working directory stay OtherCalls."""

TERMINUS = Toolset(
    name="terminus",
    spellings=(
        Spelling(
            kind=Shell,
            tool="bash_command",
            fields={"keystrokes": "command"},
            ignored=frozenset({"duration"}),
            command_form="keystrokes",
        ),
        Spelling(kind=Submit, tool="mark_task_complete"),
    ),
)
"""Terminus 2 (Terminal-Bench); keys without Enter stay OtherCalls."""

MOATLESS = Toolset(
    name="moatless",
    spellings=(
        *editor("str_replace_editor"),
        Spelling(
            kind=Submit, tool="Finish", fields={"finish_reason": "message"}, optional=frozenset({"finish_reason"})
        ),
        Spelling(
            kind=Submit,
            tool="PlanToCode",
            constants={"action": "finish"},
            fields={"finish": "message"},
            optional=frozenset({"finish"}),
        ),
    ),
)
"""Moatless: its editor and both ways to finish; its code search stays OtherCalls."""

RECORDED = (
    *(SWE_AGENT, MINI_SWE_AGENT, OPENHANDS, OPENHANDS_SDK, OPENHANDS_SDK_EARLY, R2E_GYM, R2E_SWE_MASTER),
    *(CLAUDE_CODE, OPENCODE, PI, HERMES, CODEX, TERMINUS, MOATLESS),
)
"""All toolsets that recorded calls may be written in."""


def toolset_of(calls: Iterable[ToolCall]) -> Toolset:
    """The toolset that has a meaning for most of these calls; the first of `RECORDED` on a tie."""
    understood = [0] * len(RECORDED)
    for call in calls:
        for index, toolset in enumerate(RECORDED):
            understood[index] += not isinstance(toolset.read_call(call), OtherCall)
    return RECORDED[understood.index(max(understood))]

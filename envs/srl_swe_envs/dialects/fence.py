"""The `fence` dialect of mini-swe-agent: exactly one ```` ```bash ```` block, whose text is the command.

Submission is the command that upstream's prompt asks for (`minisweagent/config/default.yaml`); it is recognised only
as a whole command of the model's, never in a command's output.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ..actions import Action, Shell, Submit
from ..errors import ConfigError, MalformedReply

_BLOCK = re.compile(r"^```(?:bash|mswea_bash_command)[ \t]*\n(.*?)\n?^```[ \t]*$", re.DOTALL | re.MULTILINE)
_SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
_SUBMIT_REST = " && git add -A && git diff --cached"


@dataclass(frozen=True, slots=True)
class Fence:
    """Reads and writes one bash block."""

    name: str = "fence"

    def parse_action(self, text: str, foreign_tools: Collection[str]) -> Action:
        """The command of the one bash block."""
        blocks = _BLOCK.findall(text)
        if not blocks:
            reason = "unclosed_action" if re.search(r"^```(?:bash|mswea)", text, re.MULTILINE) else "no_action"
            raise MalformedReply(reason, "one closed ```bash block is expected")
        if len(blocks) > 1:
            raise MalformedReply("two_actions", f"one bash block is expected, not {len(blocks)}")
        return command_to_action(blocks[0])

    def split_actions(self, text: str) -> tuple[str, ...]:
        """Each bash block."""
        return tuple(block.group() for block in _BLOCK.finditer(text))

    def render_action(self, action: Action) -> str:
        """The bash block of a command or submission; ConfigError for any other action."""
        match action:
            case Shell(command=command):
                text = command
            case Submit(message=message):
                text = _SUBMIT + (message or _SUBMIT_REST)
            case _:
                raise ConfigError(f"the fence dialect can't say {type(action).__name__}, only shell commands")
        block = f"```bash\n{text}\n```"
        if _BLOCK.findall(block) != [text] or command_to_action(text) != action:
            raise ConfigError("the fence dialect can't say this command: it holds a closing fence or ends in a newline")
        return block


def command_to_action(command: str) -> Action:
    """A recorded mini-swe-agent command as an action: the submission command is Submit, all else Shell."""
    if command.startswith(_SUBMIT):
        rest = command.removeprefix(_SUBMIT)
        return Submit(message="" if rest == _SUBMIT_REST else rest)
    return Shell(command=command)


FENCE = Fence()

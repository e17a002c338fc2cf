"""mini-swe-agent v2 `.traj.json`: bash tool calls (several a turn are possible), or `mswea_bash_command` fences.

A reply that was not accepted is not stored, only the message that says so. The submitting call has no answer; a
message with the role `exit` ends the run.
"""

from __future__ import annotations

from typing import Any

from srl_swe_envs.actions import Action, Shell
from srl_swe_envs.dialects.fence import command_to_action
from srl_swe_envs.toolsets import MINI_SWE_AGENT

from ..conversation import Rules
from ..reading import LogFormat, Origin, Reading
from .mini_v1 import REJECTION, read_fence, read_run


def submission(action: Action) -> Action:
    """A shell call as an action: the command that upstream's prompt asks for at the end is the submission."""
    return command_to_action(action.command) if isinstance(action, Shell) else action


_RULES = Rules(
    toolset=MINI_SWE_AGENT,
    read_text=read_fence,
    to_action=submission,
    rejections=REJECTION,
)


def _matches(value: Any) -> bool:
    tag = value.get("trajectory_format") if isinstance(value, dict) else None
    return isinstance(tag, str) and tag.startswith("mini-swe-agent-") and tag != "mini-swe-agent-1"


def _read(value: dict[str, Any], origin: Origin) -> Reading:
    return read_run(value, origin, "mini_swe_agent_v2", _RULES)


MINI_V2 = LogFormat(name="mini_swe_agent_v2", matches=_matches, read=_read)

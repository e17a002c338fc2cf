"""SWE-smith training rows in the `xml` style (upstream `swesmith/train/traj_mgr/utils.py: transform_traj_xml`).

As upstream does, the observation of the submission is left out; the `patch` column, which there belongs to other
instances, is empty.
"""

from __future__ import annotations

import hashlib
from typing import Any

from srl_swe_envs.dialects.xml import render_call
from srl_swe_envs.toolsets import SWE_AGENT

from .recording import SYSTEM, Recording, instance_message, shown
from .swe_agent import observed

_TOOLS = """

You have access to the following functions:

---- BEGIN FUNCTION #1: bash ----
Description: Execute a bash command in the terminal.

Parameters:
  (1) command (string, required): The bash command to execute.
---- END FUNCTION #1 ----

---- BEGIN FUNCTION #2: submit ----
Description: Finish the interaction when the task is complete.
No parameters are required for this function.
---- END FUNCTION #2 ----

---- BEGIN FUNCTION #3: str_replace_editor ----
Description: View, create and edit files.

Parameters:
  (1) command (string, required): `view`, `create`, `str_replace`, `insert` or `undo_edit`.
  (2) path (string, required): Absolute path to file or directory.
  (3) file_text (string, optional): For `create`, the content of the file.
  (4) old_str (string, optional): For `str_replace`, the text to replace, which must be unique in the file.
  (5) new_str (string, optional): For `str_replace` and `insert`, the new text.
  (6) insert_line (integer, optional): For `insert`, the line after which the text goes.
  (7) view_range (array, optional): For `view`, the first and the last line.
---- END FUNCTION #3 ----"""


def to_swe_smith(recording: Recording) -> dict[str, Any]:
    """One row."""
    messages = [
        {"role": "system", "content": SYSTEM + _TOOLS},
        {"role": "user", "content": instance_message(recording.task)},
    ]
    for turn in recording.turns:
        call = render_call(SWE_AGENT.to_call(turn.action))
        messages.append({"role": "assistant", "content": f"{turn.thought}\n\n{call}"})
        messages.append({"role": "user", "content": observed(shown(turn.observation))})
    task = recording.task
    return {
        "messages": messages[:-1],
        "instance_id": task.id,
        "resolved": recording.resolved,
        "model": recording.agent,
        "traj_id": f"{task.id}.{hashlib.sha256(task.id.encode()).hexdigest()[:8]}",
        "patch": "",
    }

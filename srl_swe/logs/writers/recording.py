"""What every writer is given, and what the formats have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Turn

SYSTEM = "You are a helpful assistant that can interact with a computer to solve tasks."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One run of an agent: every turn has its observation, the last turn submits `patch`."""

    task: Task
    turns: tuple[Turn, ...]
    patch: str
    resolved: bool
    agent: str
    """Who acted; formats have it where the model's name stands."""

    def call_id(self, index: int) -> str:
        """An id for the tool call of a turn, the same in every recording."""
        return "call_" + hashlib.sha256(f"{self.task.id}/{index}".encode()).hexdigest()[:24]


def instance_message(task: Task) -> str:
    """The task as SWE-agent puts it to its agent."""
    return (
        f"<uploaded_files>\n{task.workdir}\n</uploaded_files>\n"
        f"I've uploaded a python code repository in the directory {task.workdir}. Consider the following PR"
        f" description:\n\n<pr_description>\n{task.problem.strip()}\n</pr_description>\n\n"
        f"Make the minimal changes to non-tests files in the {task.workdir} directory to ensure the <pr_description>"
        " is satisfied. You don't have to modify any of the tests."
    )


def shown(observation: Observation | None) -> str:
    """An observation's text as it is put into a message, without the line end at its end."""
    return observation.text.rstrip("\n") if observation is not None else ""


def text_of_json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON text with a line end."""
    return json.dumps(value, ensure_ascii=False, indent=indent) + "\n"

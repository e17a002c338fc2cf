"""Actions that score high although they do something else than the expert's."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from srl_swe_envs.actions import Action, Create, Insert, Replace, Shell, View, kind_of
from srl_swe_envs.rewards.edit_effect import effect, recorded_files
from srl_swe_envs.rewards.named import scorer_named
from srl_swe_envs.steps import StepInstance

from .samples import Audited

_HIGH = 0.8
_EXAMPLES = 8
_EXAMPLE_CHARS = 200
_EDITS = (Create, Replace, Insert)
_PARTS = re.compile(r"&&|\|\||[;|\n]")
_ASSIGNMENT = re.compile(r"^(?:\w+=\S*\s+)+")


def effects_record(run: Audited) -> dict[str, Any]:
    """Of the replies with a character similarity of 0.8 to below 1: how many do something else, and the highest."""
    high: list[tuple[float, str, str, str]] = []
    total = 0
    characters = scorer_named("characters")
    for sample in run.samples:
        known, said = run.known(sample), run.said(sample)
        if known is None or known.instance is None or said is None or len(said.actions) != 1:
            continue
        action = said.actions[0]
        value = float(characters.similarities([action], [known.instance], run.settings.prompt.dialect)[0])
        if _HIGH <= value < 1.0:
            total += 1
            why = another_effect(action, known.instance)
            if why:
                high.append((value, why, said.text, known.expert))
    high.sort(reverse=True)
    return {
        "high": total,
        "another_effect": len(high),
        "why": dict(Counter(why for _, why, _, _ in high)),
        "examples": [
            {"similarity": value, "why": why, "action": text[:_EXAMPLE_CHARS], "expert": expert[:_EXAMPLE_CHARS]}
            for value, why, text, expert in dict.fromkeys(high)
        ][:_EXAMPLES],
    }


def another_effect(action: Action, step: StepInstance) -> str:
    """How an action's effect differs from the expert's; empty where nothing says that it does.

    `kind`: another tool; `edit`: other lines are changed, or none because the editor would refuse; `program`: a shell
    command runs other programs; `file`: another file is viewed or edited. Of edits to files whose text the history does
    not show, nothing is known.
    """
    expert = step.expert
    if kind_of(action) != kind_of(expert) and not (isinstance(action, _EDITS) and isinstance(expert, _EDITS)):
        return "kind"
    if isinstance(action, _EDITS) and isinstance(expert, _EDITS):
        if action.path != expert.path:
            return "file"
        files = recorded_files(step)
        theirs = effect(expert, files)
        return "edit" if theirs and effect(action, files) != theirs else ""
    if isinstance(action, Shell) and isinstance(expert, Shell):
        return "program" if programs(action.command) != programs(expert.command) else ""
    if isinstance(action, View) and isinstance(expert, View):
        return "file" if action.path != expert.path else ""
    return ""


def programs(command: str) -> tuple[str, ...]:
    """The first words of a command's parts, assignments before them left out."""
    parts = (_ASSIGNMENT.sub("", part.strip()) for part in _PARTS.split(command))
    return tuple(part.split()[0] for part in parts if part.split())

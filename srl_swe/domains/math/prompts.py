"""The words around a problem and its steps: `agent_prompts/math`, or a folder of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jinja2

from srl_swe_envs.dialects.reply import join_thought, split_thought
from srl_swe_envs.errors import ConfigError, MalformedReply

from ...assets import ROOT
from ...conversations import Message
from ...prompts import read_template

Layout: TypeAlias = Literal["partial", "turns"]
"""`partial`: the steps so far stand in the user's message, as in the paper; `turns`: each is a reply of its own."""

_TEMPLATES = ("step", "solve", "problem", "next", "malformed")


@dataclass(frozen=True, slots=True, kw_only=True)
class MathPrompts:
    """Prompts for the next step, or for a whole solution."""

    templates: dict[str, jinja2.Template]

    def step(self, problem: str, steps: Sequence[str] = (), *, header: str = "") -> tuple[Message, ...]:
        """Ask for the step after some steps, which the user's message holds; `header` is its number and title."""
        return (
            Message(role="system", content=self._render("step")),
            Message(role="user", content=self._problem(problem, "\n\n".join(steps), header)),
        )

    def whole(self, problem: str) -> tuple[Message, ...]:
        """Ask for a solution with its final answer in a box."""
        return (
            Message(role="system", content=self._render("solve")),
            Message(role="user", content=self._problem(problem, "", "")),
        )

    def next(self, *, header: str = "") -> Message:
        """Ask for one more step after a reply."""
        return Message(role="user", content=self._render("next", header=header))

    def malformed(self, reason: str, explanation: str) -> Message:
        """What comes back after a reply that could not be read."""
        return Message(role="user", content=self._render("malformed", reason=reason, explanation=explanation))

    def _problem(self, problem: str, partial: str, header: str) -> str:
        return self._render("problem", problem=problem, partial=partial, header=header)

    def _render(self, template: str, **values: Any) -> str:
        try:
            return self.templates[template].render(**values)
        except jinja2.UndefinedError as error:
            raise ConfigError(f"{self.templates[template].filename}: {error}") from error


def load_math_prompts(folder: Path | None = None) -> MathPrompts:
    """The prompt set of mathematics; raises ConfigError naming a template that is missing."""
    place = folder or ROOT / "agent_prompts" / "math"
    try:
        return MathPrompts(templates={name: read_template(place / f"{name}.md") for name in _TEMPLATES})
    except OSError as error:
        raise ConfigError(f"{error.filename}: can't be read: a prompt folder needs {', '.join(_TEMPLATES)}") from error


def step_reply(text: str) -> str:
    """An expert's step as a reply: experts' thoughts are not recorded, so the thought is empty."""
    return join_thought("", text)


def read_step(reply: str) -> str:
    """The step that a reply gives after its thought; raises MalformedReply."""
    _, rest = split_thought(reply)
    if not rest.strip():
        raise MalformedReply("no_action", "a step is expected after the thought")
    return rest.strip()

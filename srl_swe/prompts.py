"""Prompt sets: the folders of `agent_prompts/`, rendered strictly into chat messages."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2

from srl_swe_envs.dialects import REASONS, dialect_named, render_actions, render_reply
from srl_swe_envs.dialects.reply import Reply
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Turn

from .assets import ROOT
from .conversations import Message, Role

OBSERVATION_CHARS = 16000
"""Longest observation that a model is shown when it learns, where nothing else is said."""
_TEMPLATES = ("system", "task", "observation", "malformed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """The words around an agent's turns in one reply dialect.

    White space at the end of an issue or an observation is left out: log formats keep it or not, and what a model
    learns from logs must be what it meets live, token by token.
    """

    dialect: str
    templates: dict[str, jinja2.Template]
    observation_role: Role
    tools: tuple[object, ...] = field(default=())
    observation_chars: int = 0
    """Longer observations keep their head and tail; 0 keeps everything."""
    several: bool = False
    """Whether a reply may hold several actions; `system.md` says so to the model."""

    def opening(self, task: Task) -> tuple[Message, ...]:
        """The messages before the first turn."""
        task = replace(task, problem=task.problem.rstrip())
        system = self._render("system", task=task, several=self.several)
        return (Message(role="system", content=system), Message(role="user", content=self._render("task", task=task)))

    def reply(self, turn: Turn, *, thought: bool = True) -> Message:
        """A turn as the assistant message that would have caused it; `thought=False` leaves only the action."""
        if thought:
            text = render_reply(Reply(thought=turn.thought, action=turn.action), self.dialect)
        else:
            text = dialect_named(self.dialect).render_action(turn.action)
        return Message(role="assistant", content=text)

    def replies(self, turns: Sequence[Turn], *, thought: bool = True) -> Message:
        """Several turns as one assistant message: their thoughts together, then all their actions."""
        thoughts = "\n\n".join(turn.thought.strip() for turn in turns if turn.thought.strip())
        actions = [turn.action for turn in turns]
        text = render_actions(thoughts, actions, self.dialect, with_thought=thought)
        return Message(role="assistant", content=text)

    def observations(self, observations: Sequence[Observation]) -> Message:
        """What comes back after several actions, one after the other."""
        shown = [self.observation(observation).content for observation in observations]
        return Message(role=self.observation_role, content="\n\n".join(shown))

    def observation(self, observation: Observation) -> Message:
        """What comes back after an action."""
        ended = replace(observation, text=observation.text.rstrip())
        shown = elide(ended, self.observation_chars) if self.observation_chars else ended
        return Message(role=self.observation_role, content=self._render("observation", observation=shown))

    def malformed(self, reason: str) -> Message:
        """What comes back after a reply that could not be read."""
        text = self._render("malformed", reason=reason, explanation=REASONS.get(reason, reason))
        return Message(role=self.observation_role, content=text)

    def _render(self, template: str, **values: Any) -> str:
        try:
            return self.templates[template].render(**values)
        except jinja2.UndefinedError as error:
            raise ConfigError(f"{self.templates[template].filename}: {error}") from error


def load_prompts(
    dialect: str, *, folder: Path | None = None, observation_chars: int = 0, several: bool = False
) -> PromptSet:
    """The prompt set of a dialect, from `agent_prompts/` or a folder of the user's own; raises ConfigError."""
    dialect_named(dialect)
    place = folder or ROOT / "agent_prompts" / dialect
    try:
        templates = {name: read_template(place / f"{name}.md") for name in _TEMPLATES}
        settings = tomllib.loads((place / "prompt.toml").read_text(encoding="utf-8"))
        tools_file = place / "tools.json"
        tools = tuple(json.loads(tools_file.read_text(encoding="utf-8"))) if tools_file.exists() else ()
    except OSError as error:
        raise ConfigError(f"{error.filename}: can't be read: a prompt folder needs {', '.join(_TEMPLATES)}") from error
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error
    role: Role = settings.get("observation_role", "user")
    return PromptSet(
        dialect=dialect,
        templates=templates,
        observation_role=role,
        tools=tools,
        observation_chars=observation_chars,
        several=several,
    )


def shown_rounds(history: str) -> int | None:
    """How many rounds `full` (None: all) or `last:n` shows; raises ConfigError for any other text."""
    if history == "full":
        return None
    number = history.removeprefix("last:")
    if not history.startswith("last:") or not number.isdigit():
        raise ConfigError("history: write 'full' or 'last:n' with n >= 0")
    return int(number)


def elide(observation: Observation, max_chars: int) -> Observation:
    """The observation with its middle left out when it is longer than `max_chars`; the head gets the odd character."""
    text = observation.text
    if len(text) <= max_chars:
        return observation
    left_out = len(text) - max_chars
    tail = max_chars // 2
    head = max_chars - tail
    shown = f"{text[:head]}\n[... {left_out} characters left out ...]\n{text[len(text) - tail :]}"
    return Observation(text=shown, exit_code=observation.exit_code, elided_chars=observation.elided_chars + left_out)


def read_template(path: Path) -> jinja2.Template:
    """A strict template from a file; raises ConfigError where its syntax is wrong, OSError where it is not there."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False)
    try:
        template = environment.from_string(path.read_text(encoding="utf-8").rstrip("\n"))
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: {error.message}") from error
    template.filename = str(path)
    return template

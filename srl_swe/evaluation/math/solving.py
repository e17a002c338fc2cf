"""How a model is asked for a solution: in one reply, or step after step as it was trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from srl_swe_envs.errors import MalformedReply

from ...conversations import Message
from ...domains.math.answers import last_boxed
from ...domains.math.prompts import Layout, MathPrompts, read_step
from ...policies.protocol import Completion

Solve: TypeAlias = Literal["whole", "steps"]
Ask: TypeAlias = Callable[[Sequence[Sequence[Message]]], Sequence[Completion]]
"""Replies to many conversations at once, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solving:
    """What is asked, and how often."""

    prompts: MathPrompts
    solve: Solve = "whole"
    layout: Layout = "partial"
    """For `steps`: where the steps so far stand."""
    last_steps: int | None = None
    """For `steps`: show only the last n steps; None shows all."""
    max_steps: int = 24


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at a problem."""

    problem: str
    replies: list[Completion] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    stop: str = ""
    """`answered`, `no_box`, `step_limit`, `truncated`, `malformed`; empty while it goes on."""

    @property
    def text(self) -> str:
        """What the answer is looked for in: the reply, or all steps."""
        return "\n\n".join(self.steps) if self.steps else "".join(reply.text for reply in self.replies[:1])


def solve_all(problems: Sequence[str], how: Solving, ask: Ask) -> tuple[Attempt, ...]:
    """One attempt per problem, all of them asked together round after round."""
    attempts = tuple(Attempt(problem=problem) for problem in problems)
    going = list(attempts)
    while going:
        replies = ask([_messages(attempt, how) for attempt in going])
        for attempt, reply in zip(going, replies, strict=True):
            attempt.replies.append(reply)
            attempt.stop = _whole(reply) if how.solve == "whole" else _step(attempt, reply, how)
        going = [attempt for attempt in going if not attempt.stop]
    return attempts


def _messages(attempt: Attempt, how: Solving) -> tuple[Message, ...]:
    if how.solve == "whole":
        return how.prompts.whole(attempt.problem)
    first = 0 if how.last_steps is None else max(0, len(attempt.steps) - how.last_steps)
    if how.layout == "partial":
        return how.prompts.step(attempt.problem, attempt.steps[first:])
    messages = [*how.prompts.step(attempt.problem)]
    for reply in attempt.replies[first:]:
        messages += [Message(role="assistant", content=reply.text), how.prompts.next()]
    return tuple(messages)


def _whole(reply: Completion) -> str:
    if last_boxed(reply.text.rpartition("</think>")[2]) is not None:
        return "answered"
    return "truncated" if reply.finish == "length" else "no_box"


def _step(attempt: Attempt, reply: Completion, how: Solving) -> str:
    """Add the reply's step; why the attempt is over, if it is."""
    if reply.finish == "length":
        return "truncated"
    try:
        step = read_step(reply.text)
    except MalformedReply:
        return "malformed"
    attempt.steps.append(step)
    if last_boxed(step) is not None:
        return "answered"
    return "step_limit" if len(attempt.steps) >= how.max_steps else ""

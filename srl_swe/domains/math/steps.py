"""Solutions become conversations: N steps make N-1 instances, each with the steps before it as its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...conversations import Conversation, Message, Target
from .prompts import Layout, MathPrompts, step_reply
from .solutions import Solution, SolutionStep, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class MathSteps:
    """How solutions are cut into steps and shown to the model."""

    prompts: MathPrompts
    layout: Layout = "partial"
    next_title: bool = False
    """Show the coming step's number and title, so that its body alone is learned (the paper's footnote 1)."""
    last_steps: int | None = None
    """Show only the last n steps; None shows all."""
    include_last: bool = False
    merge: int = 1
    """How many consecutive steps make one; 0 makes the whole solution one step."""

    def steps(self, solution: Solution) -> tuple[SolutionStep, ...]:
        """The steps of a solution after merging."""
        return merged(solution.steps, self.merge)

    def expert(self, step: SolutionStep) -> str:
        """What a reply is compared with."""
        return step.body if self._header(step) else step.text

    def conversations(self, solution: Solution) -> Iterator[Conversation]:
        """One per step where the steps so far are part of the prompt, else one with all steps."""
        steps = self.steps(solution)
        wanted = [
            place
            for place in range(len(steps) if self.include_last or self.merge == 0 else len(steps) - 1)
            if self.expert(steps[place])
        ]
        if self.layout == "partial" or self.last_steps is not None or self.merge == 0:
            for place in wanted:
                yield self._one(solution, steps, place)
        elif wanted:
            yield self._turns(solution, steps, 0, wanted)

    def _one(self, solution: Solution, steps: tuple[SolutionStep, ...], place: int) -> Conversation:
        """The conversation of one step."""
        first = 0 if self.last_steps is None else max(0, place - self.last_steps)
        if self.layout == "turns" and self.merge:
            return self._turns(solution, steps, first, [place])
        if self.merge == 0:
            asked = self.prompts.whole(solution.problem)
        else:
            shown = [step.text for step in steps[first:place]]
            before = [solution.preamble] if solution.preamble and not first else []
            asked = self.prompts.step(solution.problem, [*before, *shown], header=self._header(steps[place]))
        reply = Message(role="assistant", content=step_reply(self.expert(steps[place])))
        target = Target(message=len(asked), step=place)
        return Conversation(id=solution.id, messages=(*asked, reply), targets=(target,))

    def _turns(
        self, solution: Solution, steps: tuple[SolutionStep, ...], first: int, wanted: list[int]
    ) -> Conversation:
        """Steps as replies of one conversation, from step `first` to the last that is wanted."""
        before = [solution.preamble] if solution.preamble and not first else []
        messages = [*self.prompts.step(solution.problem, before, header=self._header(steps[first]))]
        targets = []
        for place in range(first, max(wanted) + 1):
            if place > first:
                messages.append(self.prompts.next(header=self._header(steps[place])))
            if place in wanted:
                targets.append(Target(message=len(messages), step=place))
            messages.append(Message(role="assistant", content=step_reply(self.expert(steps[place]))))
        return Conversation(id=solution.id, messages=tuple(messages), targets=tuple(targets))

    def _header(self, step: SolutionStep) -> str:
        return step.header if self.next_title else ""

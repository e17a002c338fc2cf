"""Solved problems: a problem, its solution cut into steps, and its final answer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

Boundaries = Literal["numbered", "automatic", "given"]
"""Where step boundaries come from: the solution's own numbering, the segmenter, or a list in the data."""

HEADER = re.compile(r"^[ ]{0,3}(\d{1,3})[.)][ \t]+\*\*(.+?)\*\*:?", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionStep:
    """One step of a solution."""

    text: str
    """All of it, with number and title where it has them."""
    title: str = ""

    @property
    def header(self) -> str:
        """What stands before the body: `2. **Title**`; empty without a title."""
        found = HEADER.match(self.text)
        return found.group() if found and self.title else ""

    @property
    def body(self) -> str:
        """The text after number and title."""
        return self.text[len(self.header) :].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A problem that an expert has solved."""

    id: str
    problem: str
    steps: tuple[SolutionStep, ...]
    boundaries: Boundaries
    preamble: str = ""
    """What the solution says before its first step: shown, never learned."""
    answer: str = ""
    """The final answer; empty where the data has none."""


class UnparsableSolution(ValueError):
    """Raised when a solution has no numbered steps; `reason` is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def numbered_steps(text: str) -> tuple[str, tuple[SolutionStep, ...]]:
    """Preamble and steps of a solution written as `1. **Title** body`, `2. **Title** body`, ...

    Numbers must run from 1 without a gap. Raises UnparsableSolution: `no_numbered_steps`, or `broken_numbering` where
    the numbers start anew (two solutions in one text) or leave some out.
    """
    found = list(HEADER.finditer(text))
    if not found:
        raise UnparsableSolution("no_numbered_steps")
    if [int(header[1]) for header in found] != list(range(1, len(found) + 1)):
        raise UnparsableSolution("broken_numbering")
    ends = [*(header.start() for header in found[1:]), len(text)]
    steps = tuple(
        SolutionStep(text=text[header.start() : end].strip(), title=header[2].strip().removesuffix(":"))
        for header, end in zip(found, ends, strict=True)
    )
    return text[: found[0].start()].strip(), steps


def problem_digest(problem: str) -> str:
    """A short name of a problem's text, white space and case aside: the same problem in two data sets has one."""
    return hashlib.sha256(" ".join(problem.lower().split()).encode()).hexdigest()[:16]


def merged(steps: tuple[SolutionStep, ...], merge: int) -> tuple[SolutionStep, ...]:
    """Every `merge` consecutive steps as one, all of them as one when it is 0."""
    size = merge or max(len(steps), 1)
    groups = [steps[start : start + size] for start in range(0, len(steps), size)]
    return tuple(
        SolutionStep(text="\n\n".join(step.text for step in group), title=group[0].title if size == 1 else "")
        for group in groups
    )

"""The edit that takes a planted bug out, as whole lines that stand once in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..mutation.mutants import Mutant

_REASONS: Mapping[str, str] = {
    "boundary": "The limit itself is treated wrongly",
    "comparison": "The comparison is the wrong way round",
    "arithmetic": "The arithmetic is wrong",
    "assignment": "The variable is updated wrongly",
    "boolean": "The two conditions are joined wrongly",
    "negation": "The condition is inverted",
    "constant": "The constant is wrong",
    "off_by_one": "This is off by one",
    "ternary": "The two results are swapped",
    "variable": "The wrong variable is used",
    "arguments": "The operands are in the wrong order",
    "method": "The wrong function is called",
    "attribute": "The wrong attribute is read",
    "branch": "A check is missing",
    "statement": "A step is missing",
    "jump": "The loop goes on where it should not, or stops too early",
    "return": "The result is not what the function should return",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Replace `old` by `new`; line numbers are those of the file with the bug."""

    path: str
    old: str
    new: str
    first_line: int
    reason: str

    @property
    def is_one_line(self) -> bool:
        """Whether a single line is replaced by a single line."""
        return "\n" not in self.old and "\n" not in self.new


def fix_of(mutant: Mutant, fixed: str) -> Fix:
    """The fix for a mutant of the file whose right text is `fixed`."""
    broken_lines = mutant.plant(fixed).split("\n")
    fixed_lines = fixed.split("\n")
    start = 0
    while broken_lines[start] == fixed_lines[start]:
        start += 1
    end = 0
    while broken_lines[-1 - end] == fixed_lines[-1 - end] and min(len(broken_lines), len(fixed_lines)) - end > start:
        end += 1
    broken_end, fixed_end = len(broken_lines) - end, len(fixed_lines) - end
    if start == broken_end:  # lines are missing: anchor them at the line that follows, or at the one before
        if broken_lines[broken_end].strip():
            broken_end, fixed_end = broken_end + 1, fixed_end + 1
        else:
            start -= 1
    broken = "\n".join(broken_lines)
    while broken.count("\n".join(broken_lines[start:broken_end])) > 1:
        start -= 1
    return Fix(
        path=mutant.path,
        old="\n".join(broken_lines[start:broken_end]),
        new="\n".join(fixed_lines[start:fixed_end]),
        first_line=start + 1,
        reason=_REASONS[mutant.operator],
    )

"""How much of an expert's action a reply's action reproduces: `2M / T` over difflib's matching blocks.

The value is `difflib.SequenceMatcher(None, action, expert, autojunk=...).ratio()` to the last bit, the reward of SRL
(arXiv 2510.25992, section 4.2), from a kernel whose time is bounded on any input: difflib is cubic on repetitive
text, so a policy that collapses into repetition would stall training. The order is (action, expert): swapping them
changes the value slightly. `autojunk=True` is difflib's own default and is kept to compare with public code; it
ignores frequent characters of experts from 200 characters up, so that near-copies of long edits can score near 0.

Text is compared by code point. The token functions compare sequences of any hashable elements, and take arrays of
uint32 ids as they are.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import gestalt


class MatchingBlock(NamedTuple):
    """`action[action_start:][:size] == expert[expert_start:][:size]`; equal to difflib's `Match` as a tuple."""

    action_start: int
    expert_start: int
    size: int


def kernel_name() -> str:
    """`"c"` when the compiled kernel is in use, `"python"` otherwise; both give the same values."""
    return "python"


def similarity(action: str, expert: str, *, autojunk: bool = False) -> float:
    """Similarity of two texts in [0, 1]; 1.0 when both are empty."""
    return gestalt.ratio(action, expert, autojunk)


def similarity_batch(
    actions: Sequence[str], expert: str | Sequence[str], *, autojunk: bool = False
) -> NDArray[np.float64]:
    """Similarities of many actions, shape `(len(actions),)`, to one expert or to one expert each.

    Raises ValueError when there are neither one nor as many experts as actions.
    """
    experts = (expert,) * len(actions) if isinstance(expert, str) else expert
    if len(experts) != len(actions):
        raise ValueError(f"{len(actions)} actions but {len(experts)} experts")
    pairs = zip(actions, experts, strict=True)
    return np.array([gestalt.ratio(a, b, autojunk) for a, b in pairs], dtype=np.float64)


def matching_blocks(
    action: Sequence[Hashable], expert: Sequence[Hashable], *, autojunk: bool = False
) -> tuple[MatchingBlock, ...]:
    """The blocks `similarity` counts, as difflib's `get_matching_blocks` gives them.

    Ascending, adjacent blocks merged, and closed by the sentinel `(len(action), len(expert), 0)`.
    """
    merged: list[MatchingBlock] = []
    for i, j, size in gestalt.blocks(action, expert, autojunk):
        if merged and sum(merged[-1][::2]) == i and merged[-1].expert_start + merged[-1].size == j:
            i, j, size = *merged[-1][:2], merged.pop().size + size
        merged.append(MatchingBlock(i, j, size))
    return (*merged, MatchingBlock(len(action), len(expert), 0))

"""How much of an expert's action a reply's action reproduces: `2M / T` over difflib's matching blocks.

The value is `difflib.SequenceMatcher(None, action, expert, autojunk=...).ratio()` to the last bit, the reward of SRL
(arXiv 2510.25992, section 4.2), from a kernel whose time is bounded on any input: difflib is cubic on repetitive
text, so a policy that collapses into repetition would stall training. The order is (action, expert): swapping them
changes the value slightly. `autojunk=True` is difflib's own default, kept to compare with public code: it ignores
frequent characters of experts from 200 characters up, so that near-copies of long edits can score near 0.

Text is compared by code point. The token functions compare sequences of any hashable elements; arrays of uint32 ids
are taken as they are. Two kernels give the same values: `_gestalt`, compiled, which holds no lock of the interpreter
while it works and spreads a batch over threads, and `gestalt`, in pure Python.
"""

import os
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import gestalt

try:
    from . import _gestalt
except ImportError:
    _compiled = False
else:
    _compiled = True

Tokens = Sequence[Hashable] | NDArray[np.uint32]


class MatchingBlock(NamedTuple):
    """`action[action_start:][:size] == expert[expert_start:][:size]`; equal to difflib's `Match` as a tuple."""

    action_start: int
    expert_start: int
    size: int


def kernel_name() -> str:
    """`"c"` when the compiled kernel is in use, `"python"` otherwise; both give the same values."""
    return "c" if _compiled else "python"


def similarity(action: str, expert: str, *, autojunk: bool = False) -> float:
    """Similarity of two texts in [0, 1]; 1.0 when both are empty."""
    return _gestalt.ratio(action, expert, autojunk) if _compiled else gestalt.ratio(action, expert, autojunk)


def similarity_batch(
    actions: Sequence[str], expert: str | Sequence[str], *, autojunk: bool = False, num_threads: int | None = None
) -> NDArray[np.float64]:
    """Similarities of many actions, shape `(len(actions),)`, to one expert or to one expert each.

    Equal pairs are matched once. `num_threads` defaults to the CPUs this process may use; the pure-Python kernel has
    one. Raises ValueError unless there is one expert or as many as actions.
    """
    experts = (expert,) * len(actions) if isinstance(expert, str) else expert
    _check_counts(actions, experts)
    pairs = list(zip(actions, experts, strict=True))
    index_of = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
    if _compiled:
        ratios = _compiled_ratios(index_of, autojunk, num_threads)
    else:
        ratios = np.array([gestalt.ratio(a, b, autojunk) for a, b in index_of], dtype=np.float64)
    return ratios[np.fromiter((index_of[pair] for pair in pairs), dtype=np.intp, count=len(pairs))]


def token_similarity(action: Tokens, expert: Tokens, *, autojunk: bool = False) -> float:
    """Similarity of two sequences of hashable elements (or one-dimensional arrays of uint32), element by element."""
    action_ids, expert_ids = _ids(action, expert)
    if _compiled:
        return _gestalt.ratio(action_ids, expert_ids, autojunk)
    return gestalt.ratio(action_ids.tolist(), expert_ids.tolist(), autojunk)


def token_similarity_batch(
    actions: Sequence[Tokens], experts: Sequence[Tokens], *, autojunk: bool = False, num_threads: int | None = None
) -> NDArray[np.float64]:
    """Similarities of many token sequences to one expert each, shape `(len(actions),)`; see `similarity_batch`."""
    _check_counts(actions, experts)
    pairs = [_ids(action, expert) for action, expert in zip(actions, experts, strict=True)]
    if _compiled:
        return _compiled_ratios(pairs, autojunk, num_threads)
    return np.array([gestalt.ratio(a.tolist(), b.tolist(), autojunk) for a, b in pairs], dtype=np.float64)


def matching_blocks(action: Tokens, expert: Tokens, *, autojunk: bool = False) -> tuple[MatchingBlock, ...]:
    """The blocks that similarity counts, as difflib's `get_matching_blocks` gives them.

    Takes texts or any other sequences of hashable elements. Ascending, adjacent blocks merged, closed by the sentinel
    `(len(action), len(expert), 0)`.
    """
    if isinstance(action, str) and isinstance(expert, str):
        kernel = _gestalt.blocks if _compiled else gestalt.blocks
        blocks = kernel(action, expert, autojunk)
    else:
        action_ids, expert_ids = _ids(action, expert)
        if _compiled:
            blocks = _gestalt.blocks(action_ids, expert_ids, autojunk)
        else:
            blocks = gestalt.blocks(action_ids.tolist(), expert_ids.tolist(), autojunk)
    merged: list[MatchingBlock] = []
    for i, j, size in blocks:
        last = merged[-1] if merged else MatchingBlock(0, 0, 0)
        if last.size and last.action_start + last.size == i and last.expert_start + last.size == j:
            merged[-1] = last._replace(size=last.size + size)
        else:
            merged.append(MatchingBlock(i, j, size))
    return (*merged, MatchingBlock(len(action), len(expert), 0))


def _check_counts(actions: Sequence[object], experts: Sequence[object]) -> None:
    if len(experts) != len(actions):
        raise ValueError(f"{len(actions)} actions but {len(experts)} experts")


def _compiled_ratios(
    pairs: Collection[tuple[str, str]] | Collection[tuple[NDArray[np.uint32], NDArray[np.uint32]]],
    autojunk: bool,
    num_threads: int | None,
) -> NDArray[np.float64]:
    ratios = np.empty(len(pairs), dtype=np.float64)
    actions, experts = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    _gestalt.ratios(actions, experts, ratios, autojunk, num_threads or _usable_cpus())
    return ratios


def _ids(action: Tokens, expert: Tokens) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Both sequences as uint32 ids, equal where the elements are."""
    if _is_ids(action) and _is_ids(expert):
        return np.ascontiguousarray(action, dtype=np.uint32), np.ascontiguousarray(expert, dtype=np.uint32)
    numbers: dict[Hashable, int] = {}
    action_ids, expert_ids = (
        np.array([numbers.setdefault(element, len(numbers)) for element in sequence], dtype=np.uint32)
        for sequence in (action, expert)
    )
    return action_ids, expert_ids


def _is_ids(sequence: Tokens) -> bool:
    return isinstance(sequence, np.ndarray) and sequence.dtype == np.uint32 and sequence.ndim == 1


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Plans: which rows to forward for a batch of trees within a token budget, and how to share trees among ranks.

A tree that fits the budget joins others in one row. A larger one becomes a spine: its trunk in segments, whose
keys and values are stored, and leaf rows of branches that read them. A branch longer than the budget is a spine of
its own that grows on the trunk's. No row exceeds the budget, so activations are bounded however long a tree is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .layout import (
    Row,
    RowBuilder,
    Term,
    branches_by_step,
    expert_terms,
    moved,
    used_trunk,
    whole_row,
)
from .lockstep import Turn
from .types import Branch, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Spine:
    """A path of `length` tokens after `base` stored ones: segment rows in order, then what reads their keys/values."""

    base: int
    length: int
    segments: tuple[Row, ...]
    leaves: tuple[Row, ...] = ()
    children: tuple[Spine, ...] = ()

    @property
    def read(self) -> bool:
        """Whether anything reads the path's keys and values after its last segment."""
        return bool(self.leaves or self.children)

    @property
    def stored(self) -> tuple[Row, ...]:
        """Segments whose keys and values something reads: all, or all but the last."""
        return self.segments if self.read else self.segments[:-1]


Pass = Row | Spine


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Some steps of one trajectory, to be trained as one tree."""

    trajectory: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeCost:
    """What one forward of a tree handles: tokens, and attended (query, key) pairs."""

    tokens: int
    pairs: int

    def units(self, *, pairs_per_token: float) -> float:
        """One number for balancing; `pairs_per_token`: pairs that cost as much as one token's matrix products."""
        return self.tokens + self.pairs / pairs_per_token


def drop_still(tree: Tree, *, epsilon: float = 0.0) -> Tree:
    """The tree without branches whose advantages are at most epsilon in size: their policy gradient is zero.

    Count them in the normaliser before dropping (`Normaliser.of`), so that the loss stays what it was.
    """
    return replace(tree, branches=tuple(b for b in tree.branches if _moves(b, epsilon)))


def _moves(branch: Branch, epsilon: float) -> bool:
    return any(abs(branch.advantage_at(offset)) > epsilon for offset in branch.trained_offsets)


def cost(tree: Tree) -> TreeCost:
    """Tokens and pairs of the tree as one row."""
    row = whole_row(((0, tree),))
    return TreeCost(tokens=len(row.token_ids), pairs=row.pairs)


def separate_cost(tree: Tree) -> TreeCost:
    """The same when each reply is its own row, as without sharing."""
    tokens = pairs = 0
    for branch in tree.branches:
        step = tree.steps[branch.step]
        length = step.prompt_end + len(step.suffix) + len(branch.token_ids)
        tokens += length
        pairs += length * (length + 1) // 2
    return TreeCost(tokens=tokens, pairs=pairs)


def runs(step_counts: Sequence[int], *, cap: int, seed: int) -> tuple[Run, ...]:
    """Cut each trajectory's steps into runs of at most `cap` random ones, and shuffle the runs.

    Whole trajectories as units would make a batch all of few issues; runs keep it diverse while the trunk is
    still shared by `cap` groups.
    """
    chooser = random.Random(seed)
    cut: list[Run] = []
    for trajectory, count in enumerate(step_counts):
        order = list(range(count))
        chooser.shuffle(order)
        chunks = (order[at : at + cap] for at in range(0, count, cap))
        cut.extend(Run(trajectory=trajectory, steps=tuple(sorted(chunk))) for chunk in chunks)
    chooser.shuffle(cut)
    return tuple(cut)


def balance(costs: Sequence[TreeCost], ranks: int, *, pairs_per_token: float = 20_000.0) -> tuple[tuple[int, ...], ...]:
    """Indexes of the trees each rank takes: largest first, each to the least loaded rank. Whole trees only."""
    loads = [0.0] * ranks
    shares: list[list[int]] = [[] for _ in range(ranks)]
    order = sorted(range(len(costs)), key=lambda i: -costs[i].units(pairs_per_token=pairs_per_token))
    for index in order:
        rank = min(range(ranks), key=lambda r: (loads[r], r))
        shares[rank].append(index)
        loads[rank] += costs[index].units(pairs_per_token=pairs_per_token)
    return tuple(tuple(sorted(share)) for share in shares)


def plan(trees: Sequence[Tree], *, max_tokens: int) -> tuple[Pass, ...]:
    """The passes that cover every loss term of the trees once, no row longer than `max_tokens`."""
    bins: list[tuple[int, list[tuple[int, Tree]]]] = []
    spines: list[Pass] = []
    sized = [(cost(tree).tokens, index, tree) for index, tree in enumerate(trees)]
    for tokens, index, tree in sorted(sized, key=lambda item: (-item[0], item[1])):
        if tokens > max_tokens:
            spines.append(_spine(tree, index, max_tokens))
        elif tokens:
            _first_fit(bins, tokens, (index, tree), max_tokens)
    return (*spines, *(whole_row(members) for _, members in bins))


def turns(passes: Sequence[Pass]) -> tuple[Turn, ...]:
    """The forwards that learning the passes takes, in order; see `Spine.stored` for those without a backward."""
    found: list[Turn] = []
    for item in passes:
        if isinstance(item, Row):
            found.append(True)
        else:
            found += [False] * len(item.stored) + [True] * len(item.leaves)
            found += [*turns(item.children), *([True] * len(item.segments))]
    return tuple(found)


def _first_fit(
    bins: list[tuple[int, list[tuple[int, Tree]]]], tokens: int, member: tuple[int, Tree], max_tokens: int
) -> None:
    for at, (used, members) in enumerate(bins):
        if used + tokens <= max_tokens:
            members.append(member)
            bins[at] = (used + tokens, members)
            return
    bins.append((tokens, [member]))


def _spine(tree: Tree, index: int, max_tokens: int) -> Spine:
    terms = expert_terms(tree, index)
    children = []
    short: list[tuple[int, int]] = []
    for step, branch_indexes in branches_by_step(tree).items():
        end, suffix = tree.steps[step].prompt_end, tree.steps[step].suffix
        for which in branch_indexes:
            branch = tree.branches[which]
            if len(suffix) + branch.forwarded > max_tokens:
                children.append(_branch_spine(tree, index, which, max_tokens))
            else:
                short.append((step, which))
            if not suffix and end and 0 in branch.trained_offsets[:1]:
                terms.append((end - 1, branch.token_ids[0], index, which, 0))
    length = used_trunk(tree)
    return Spine(
        base=0,
        length=length,
        segments=path_segments(tree.trunk[:length], terms, base=0, max_tokens=max_tokens),
        leaves=_leaves(tree, index, short, max_tokens),
        children=tuple(children),
    )


def _branch_spine(tree: Tree, index: int, which: int, max_tokens: int) -> Spine:
    branch = tree.branches[which]
    step = tree.steps[branch.step]
    path = step.suffix + branch.token_ids[: branch.forwarded]
    before = len(step.suffix) - 1
    terms = [
        (before + offset, branch.token_ids[offset], index, which, offset)
        for offset in branch.trained_offsets
        if before + offset >= 0
    ]
    segments = path_segments(path, terms, base=step.prompt_end, max_tokens=max_tokens)
    return Spine(base=step.prompt_end, length=len(path), segments=segments)


def path_segments(path: tuple[int, ...], terms: Sequence[Term], *, base: int, max_tokens: int) -> tuple[Row, ...]:
    """Rows of a path, evenly long; `terms` have their sources in path coordinates and go to the row that has them."""
    count = -(-len(path) // max_tokens)
    cuts = [len(path) * i // count for i in range(count + 1)] if count else []
    rows = []
    for begin, end in pairwise(cuts):
        builder = RowBuilder()
        builder.add_path(path[begin:end], first_position=base + begin, context_end=base + begin)
        builder.terms.extend(moved([term for term in terms if begin <= term[0] < end], by=-begin))
        rows.append(builder.row())
    return tuple(rows)


def _leaves(tree: Tree, index: int, short: Sequence[tuple[int, int]], max_tokens: int) -> tuple[Row, ...]:
    """Rows of branches against a stored trunk; a step is split over rows when need be, its suffix forwarded again."""
    rows: list[list[tuple[int, list[int]]]] = [[]]
    used = 0
    for step, which in short:
        same = bool(rows[-1]) and rows[-1][-1][0] == step
        suffix, forwarded = len(tree.steps[step].suffix), tree.branches[which].forwarded
        needed = forwarded + (0 if same else suffix)
        if used + needed > max_tokens:
            rows.append([])
            used, same, needed = 0, False, forwarded + suffix
        if same:
            rows[-1][-1][1].append(which)
        else:
            rows[-1].append((step, [which]))
        used += needed
    return tuple(row for row in (_leaf(tree, index, members) for members in rows) if row.token_ids)


def _leaf(tree: Tree, index: int, members: Sequence[tuple[int, list[int]]]) -> Row:
    builder = RowBuilder()
    for _, branch_indexes in members:
        builder.add_step(tree, index, branch_indexes, context_start=0, prompt_source=None)
    return builder.row()

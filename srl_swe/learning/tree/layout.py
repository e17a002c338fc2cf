"""Rows: how trees are laid out for one forward, which token sees which, and where each loss term is read.

A row is a sequence of blocks. A block is a run of tokens that all see one context (a range of earlier key/value
positions), then `shared` tokens seen causally by the whole block, then branches that see only themselves:

    block = [ shared tokens | branch | branch | ... ]      context = kv[context_start:context_end]

A trunk (or a segment of it) is a block without branches; a step is a block whose shared tokens are its suffix. In
key/value coordinates, with `begin` the number of stored positions before the row, query q sees kv iff

    context_start <= kv < context_end  or  (shared_start <= kv < shared_end and kv <= q)  or  branch_start <= kv <= q

The last trained token of a branch is a target only and is never forwarded. A loss term reads the hidden state at
`source` to score `target`; several terms may leave one source (the G replies to one prompt).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch

from .types import Branch, Tree

Term = tuple[int, int, int, int, int]  # source, target, tree, branch, offset: one entry of each column of Terms
EXPERT = -1  # the "branch" of a loss term on the trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Tokens `start .. start + tokens` of a row and what they see (see the module's docstring)."""

    start: int
    shared: int
    branches: tuple[int, ...] = ()
    context_start: int = 0
    context_end: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return self.shared + sum(self.branches)

    @property
    def context(self) -> int:
        """How many key/value positions its context has."""
        return self.context_end - self.context_start

    @property
    def pairs(self) -> int:
        """Attended (query, key) pairs."""
        own = self.shared * (self.shared + 1) // 2
        return self.tokens * self.context + own + sum(n * self.shared + n * (n + 1) // 2 for n in self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Loss terms of a row, as parallel tuples.

    sources: index in the row of the hidden state; targets: token id it is to predict;
    trees: index of the tree; branches: index in its branches or EXPERT; offsets: index in the branch's token ids,
    or in the trunk for EXPERT.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    trees: tuple[int, ...]
    branches: tuple[int, ...]
    offsets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one forward takes: token ids and positions (equal lengths), blocks in order, loss terms."""

    token_ids: tuple[int, ...]
    positions: tuple[int, ...]
    blocks: tuple[Block, ...]
    terms: Terms

    @property
    def pairs(self) -> int:
        """Attended (query, key) pairs."""
        return sum(block.pairs for block in self.blocks)


@dataclass(slots=True)
class RowBuilder:
    """Appends blocks to a row that is being built; `row()` freezes it."""

    token_ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)

    def add_path(self, token_ids: Sequence[int], *, first_position: int, context_end: int = 0) -> int:
        """Append tokens that see each other causally; gives the index of the first."""
        start = len(self.token_ids)
        self.token_ids.extend(token_ids)
        self.positions.extend(range(first_position, first_position + len(token_ids)))
        self.blocks.append(Block(start=start, shared=len(token_ids), context_end=context_end))
        return start

    def add_step(
        self, tree: Tree, index: int, branch_indexes: Sequence[int], *, context_start: int, prompt_source: int | None
    ) -> None:
        """Append the suffix and branches of one step.

        context_start: key/value position of the trunk's first token; prompt_source: row index of the trunk's token
        `prompt_end - 1` when it lies in this row, else None (its loss terms are then in the row that has it).
        """
        step = tree.steps[tree.branches[branch_indexes[0]].step]
        start = len(self.token_ids)
        self.token_ids.extend(step.suffix)
        self.positions.extend(range(step.prompt_end, step.prompt_end + len(step.suffix)))
        first = start + len(step.suffix) - 1 if step.suffix else prompt_source
        position = step.prompt_end + len(step.suffix)
        lengths = []
        for which in branch_indexes:
            branch = tree.branches[which]
            self.add_terms(branch, index, which, first=first, rest=len(self.token_ids))
            self.token_ids.extend(branch.token_ids[: branch.forwarded])
            self.positions.extend(range(position, position + branch.forwarded))
            lengths.append(branch.forwarded)
        if len(self.token_ids) > start:
            kept = tuple(n for n in lengths if n)
            end = context_start + step.prompt_end
            self.blocks.append(
                Block(
                    start=start,
                    shared=len(step.suffix),
                    branches=kept,
                    context_start=context_start,
                    context_end=end,
                )
            )

    def add_terms(self, branch: Branch, tree: int, which: int, *, first: int | None, rest: int) -> None:
        """Loss terms of a branch whose first token is predicted at `first` and whose token j lies at `rest + j`."""
        for offset in branch.trained_offsets:
            source = first if offset == 0 else rest + offset - 1
            if source is not None:
                self.terms.append((source, branch.token_ids[offset], tree, which, offset))

    def row(self) -> Row:
        """The row as built so far."""
        columns = tuple(zip(*self.terms, strict=True)) if self.terms else ((), (), (), (), ())
        sources, targets, trees, branches, offsets = columns
        return Row(
            token_ids=tuple(self.token_ids),
            positions=tuple(self.positions),
            blocks=tuple(self.blocks),
            terms=Terms(sources=sources, targets=targets, trees=trees, branches=branches, offsets=offsets),
        )


def used_trunk(tree: Tree) -> int:
    """How many trunk tokens the tree's branches and expert spans need in a forward."""
    ends = [tree.steps[branch.step].prompt_end for branch in tree.branches if branch.trained_offsets]
    return max([0, *ends, *(end - 1 for begin, end in tree.expert_spans if end > begin)])


def branches_by_step(tree: Tree) -> dict[int, list[int]]:
    """Indexes of the branches that have a loss target, per step, steps in order of their prompts' ends."""
    grouped: dict[int, list[int]] = {}
    for which, branch in enumerate(tree.branches):
        if branch.trained_offsets:
            grouped.setdefault(branch.step, []).append(which)
    return dict(sorted(grouped.items(), key=lambda item: tree.steps[item[0]].prompt_end))


def expert_terms(tree: Tree, index: int) -> list[Term]:
    """Loss terms of the expert spans, sources in trunk coordinates; a token in two spans counts once."""
    offsets = sorted({offset for begin, end in tree.expert_spans for offset in range(begin, end)})
    return [(offset - 1, tree.trunk[offset], index, EXPERT, offset) for offset in offsets]


def moved(terms: Sequence[Term], *, by: int) -> list[Term]:
    """The terms with their sources shifted."""
    return [(source + by, target, tree, branch, offset) for source, target, tree, branch, offset in terms]


def whole_row(trees: Sequence[tuple[int, Tree]]) -> Row:
    """One row holding whole trees, each given with its index: trunk first, then its steps."""
    builder = RowBuilder()
    for index, tree in trees:
        start = builder.add_path(tree.trunk[: used_trunk(tree)], first_position=0)
        builder.terms.extend(moved(expert_terms(tree, index), by=start))
        for step, branch_indexes in branches_by_step(tree).items():
            end = tree.steps[step].prompt_end
            source = start + end - 1 if end else None
            builder.add_step(tree, index, branch_indexes, context_start=start, prompt_source=source)
    return builder.row()


def visibility(row: Row, *, begin: int = 0) -> torch.Tensor:
    """The five ints of each token, `[5, N]` int64: context start and end, shared start and end, branch start.

    begin: how many stored key/value positions come before the row; the ints are in key/value coordinates.
    """
    ints = torch.zeros(5, len(row.token_ids), dtype=torch.long)
    for block in row.blocks:
        here = begin + block.start
        columns = slice(block.start, block.start + block.tokens)
        bounds = (block.context_start, block.context_end, here, here + block.shared)
        ints[:4, columns] = torch.tensor(bounds)[:, None]
        ints[4, columns] = here + block.shared
        at = block.start + block.shared
        for length in block.branches:
            ints[4, at : at + length] = begin + at
            at += length
    return ints


def sees(ints: Iterable[torch.Tensor], query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Whether queries see keys; the five ints, `query` and `key` (key/value coordinates) broadcast together."""
    context_start, context_end, shared_start, shared_end, branch_start = ints
    in_context = (key >= context_start) & (key < context_end)
    in_shared = (key >= shared_start) & (key < shared_end) & (key <= query)
    in_branch = (key >= branch_start) & (key <= query)
    seen: torch.Tensor = in_context | in_shared | in_branch
    return seen

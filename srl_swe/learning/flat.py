"""The same loss with one row per reply: for models whose layers are not all attention, and as the slow reference.

Every branch of a tree becomes a row of its own, prompt and reply, padded on the right and forwarded by the model's own
forward. Loss terms, divisors and metrics are the tree's (`tree.loss`), so both ways give the same gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .tree.head import score
from .tree.layout import EXPERT, Terms
from .tree.lockstep import Lockstep, alone
from .tree.loss import LossConfig, LossSums, Normaliser, term_values, tree_loss
from .tree.types import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRow:
    """One sequence and its loss terms: (position read, tree, branch, offset)."""

    token_ids: tuple[int, ...]
    terms: tuple[tuple[int, int, int, int], ...]


def flat_loss_backward(
    model: Any,
    trees: Sequence[Tree],
    *,
    loss: LossConfig,
    normaliser: Normaliser,
    max_tokens: int,
    temperature: float = 1.0,
    backward: Callable[[Tensor], None] = Tensor.backward,
    lockstep: Lockstep = alone,
    scale: float = 1.0,
) -> LossSums:
    """As `tree.loss_backward`; a micro-batch has at most `max_tokens` tokens with padding, but one row at least."""
    sums = LossSums()
    batches = list(_micro_batches(list(_rows(trees)), max_tokens))
    with lockstep([True] * len(batches)) as turn:
        for rows in batches:
            turn(True)
            logps, entropies = _scores(model, rows, temperature)
            values = term_values(_terms(rows), trees, normaliser, loss, logps)
            total, more = tree_loss(logps, entropies, values, loss)
            sums += more
            backward(scale * total)
    return sums


def _terms(rows: Sequence[FlatRow]) -> Terms:
    return Terms(
        sources=(),
        targets=(),
        trees=tuple(tree for row in rows for _, tree, _, _ in row.terms),
        branches=tuple(branch for row in rows for _, _, branch, _ in row.terms),
        offsets=tuple(offset for row in rows for *_, offset in row.terms),
    )


def _rows(trees: Sequence[Tree]) -> Iterator[FlatRow]:
    for number, tree in enumerate(trees):
        if tree.expert_spans:
            offsets = sorted({offset for begin, end in tree.expert_spans for offset in range(begin, end)})
            terms = tuple((offset - 1, number, EXPERT, offset) for offset in offsets)
            yield FlatRow(token_ids=tree.trunk[: offsets[-1] + 1], terms=terms)
        for which, branch in enumerate(tree.branches):
            prompt = tree.prompt(branch.step)
            offsets = list(branch.trained_offsets)
            terms = tuple((len(prompt) + offset - 1, number, which, offset) for offset in offsets)
            if terms:
                yield FlatRow(token_ids=prompt + branch.token_ids[: offsets[-1] + 1], terms=terms)


def _micro_batches(rows: list[FlatRow], max_tokens: int) -> Iterator[list[FlatRow]]:
    """Rows of like length together, each batch's padded size within the budget."""
    rows.sort(key=lambda row: -len(row.token_ids))
    while rows:
        count = max(1, max_tokens // len(rows[0].token_ids))
        yield rows[:count]
        rows = rows[count:]


def _scores(model: Any, rows: Sequence[FlatRow], temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of every loss term, `[M]` each, in the rows' order."""
    device = next(model.parameters()).device
    length = max(len(row.token_ids) for row in rows)
    padded = [[*row.token_ids, *[0] * (length - len(row.token_ids))] for row in rows]
    mask = [[1] * len(row.token_ids) + [0] * (length - len(row.token_ids)) for row in rows]
    ids = torch.tensor(padded, device=device)
    logits = model(input_ids=ids, attention_mask=torch.tensor(mask, device=device), use_cache=False).logits
    at_row = torch.tensor([number for number, row in enumerate(rows) for _ in row.terms], device=device)
    at_place = torch.tensor([place for row in rows for place, *_ in row.terms], device=device)
    chosen = logits[at_row, at_place]
    return score(
        chosen, lambda some: some, ids[at_row, at_place + 1], temperature=temperature, vocabulary=logits.shape[-1]
    )

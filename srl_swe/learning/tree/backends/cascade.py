"""Attention in parts that are joined by their log-sum-exps: no copy of a context, no mask, in either direction.

Each block's queries meet its context as a view, its shared tokens causally, and each branch itself causally (all
branches of like length in one padded batch). One autograd function covers a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from srl_swe_envs.errors import ConfigError

from ..layout import Row
from ..store import Context, accumulator_dtype
from .flash import Flash, flash_for
from .view import RowView, fold, repeat_heads, unfold


@dataclass(frozen=True, slots=True)
class Part:
    """Queries `rows` meet keys `[start, end)`, of the context when `stored`, else of the row."""

    rows: slice
    start: int
    end: int
    causal: bool
    stored: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Branches of like length: row index of each token, padded, `[branches, longest]`, and which are real."""

    index: Tensor
    real: Tensor


@dataclass(frozen=True, slots=True)
class Layout:
    """All parts of a row; `lone`: every query is in exactly one part, so nothing needs joining."""

    parts: tuple[Part, ...]
    batches: tuple[Batch, ...]
    lone: bool


def cascade(
    query: Tensor, key: Tensor, value: Tensor, context: Context | None, view: RowView, scaling: float
) -> Tensor:
    """Attend in joined parts (see `Backend`)."""
    layout = view.cached("cascade", lambda: _layout(view.row, stored=context is not None, device=view.device))
    out: Tensor = _Cascade.apply(query, key, value, context, layout, scaling)  # type: ignore[no-untyped-call]
    return out


class _Cascade(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, context: Context | None, layout: Layout, scaling: float
    ) -> Tensor:
        flash = flash_for(query)
        if flash is None:
            raise ConfigError(
                f"tree.attention = cascade has no kernel for {query.dtype} of size {query.shape[-1]} on "
                f"{query.device.type}: leave it at auto"
            )
        joined = _Joined(query)
        for rows, found, lse in _forward_parts(flash, (query, key, value), context, layout, scaling):
            joined.add(rows, found, lse, lone=layout.lone)
        for batch in layout.batches:
            parts = _gather(batch, query, key, value)
            found, lse = flash.forward(*parts, True, scaling)
            joined.add(batch.index[batch.real], _flat(found, batch), _flat(lse, batch), lone=False)
        out = joined.out.to(query.dtype)
        ctx.save_for_backward(query, key, value, out, joined.lse)
        ctx.extra = (flash, context, layout, scaling)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, lse = ctx.saved_tensors
        flash, context, layout, scaling = ctx.extra
        grads = tuple(torch.zeros_like(x, dtype=accumulator_dtype(x.dtype)) for x in (query, key, value))
        whole = (query, key, value, out, lse, grad)
        for part in layout.parts:
            _part_backward(flash, part, whole, grads, context, scaling)
        for batch in layout.batches:
            _batch_backward(flash, batch, whole, grads, scaling)
        own = tuple(g.to(query.dtype) for g in grads)
        return (*own, None, None, None)


class _Joined:
    """Output and log-sum-exp of the parts so far, `[1, h, n, d]` and `[1, h, n]`."""

    def __init__(self, query: Tensor) -> None:
        dtype = accumulator_dtype(query.dtype)
        self.out = torch.zeros_like(query, dtype=dtype, memory_format=torch.contiguous_format)
        self.lse = torch.full(query.shape[:3], -torch.inf, dtype=dtype, device=query.device)

    def add(self, rows: slice | Tensor, out: Tensor, lse: Tensor, *, lone: bool) -> None:
        if lone:
            self.out[:, :, rows], self.lse[:, :, rows] = out.to(self.out.dtype), lse.to(self.lse.dtype)
            return
        before = self.lse[:, :, rows]
        both = torch.logaddexp(before, lse.to(before.dtype))
        kept = self.out[:, :, rows] * (before - both).exp().unsqueeze(-1)
        self.out[:, :, rows] = kept + out * (lse - both).exp().unsqueeze(-1)
        self.lse[:, :, rows] = both


def _forward_parts(
    flash: Flash, own: tuple[Tensor, Tensor, Tensor], context: Context | None, layout: Layout, scaling: float
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    query, key, value = own
    heads, kv_heads = query.shape[1], key.shape[1]
    for part in layout.parts:
        keys, values = _keys(part, key, value, context)
        if part.causal:
            found, lse = flash.forward(
                query[:, :, part.rows], repeat_heads(keys, heads), repeat_heads(values, heads), True, scaling
            )
        else:
            found, lse = flash.forward(fold(query[:, :, part.rows], kv_heads), keys, values, False, scaling)
            found, lse = unfold(found, heads), unfold(lse, heads)
        yield part.rows, found, lse


def _part_backward(
    flash: Flash,
    part: Part,
    whole: tuple[Tensor, ...],
    grads: tuple[Tensor, ...],
    context: Context | None,
    scaling: float,
) -> None:
    query, key, value, *rest = whole
    keys, values = _keys(part, key, value, context)
    heads, kv_heads = query.shape[1], key.shape[1]
    query, out, lse, grad = (x[:, :, part.rows] for x in (query, *rest))
    if part.causal:
        keys, values = repeat_heads(keys, heads), repeat_heads(values, heads)
    else:
        query, out, lse, grad = (fold_any(x, kv_heads) for x in (query, out, lse, grad))
    found = flash.backward(grad, (query, keys, values), out, lse, part.causal, scaling)
    grads[0][:, :, part.rows] += unfold(found[0], heads)
    key_grads, value_grads = (_sum_heads(x, kv_heads) for x in found[1:])
    if part.stored and context is not None:
        context.add_grads(part.start, part.end, key_grads, value_grads)
    else:
        grads[1][:, :, part.start : part.end] += key_grads
        grads[2][:, :, part.start : part.end] += value_grads


def _batch_backward(
    flash: Flash, batch: Batch, whole: tuple[Tensor, ...], grads: tuple[Tensor, ...], scaling: float
) -> None:
    query, key, value, out, lse, grad = whole
    parts = _gather(batch, query, key, value)
    # A padded query must not reach real keys: its gradient is zeroed. Its keys come after every real query.
    padded_grad = _rows(grad, batch) * batch.real[:, None, :, None]
    found = flash.backward(padded_grad, parts, _rows(out, batch), _rows(lse, batch), True, scaling)
    rows = batch.index[batch.real]
    kv_heads = key.shape[1]
    grads[0][:, :, rows] += _flat(found[0], batch)
    grads[1][:, :, rows] += _sum_heads(_flat(found[1], batch), kv_heads)
    grads[2][:, :, rows] += _sum_heads(_flat(found[2], batch), kv_heads)


def fold_any(tensor: Tensor, kv_heads: int) -> Tensor:
    """`fold` for outputs and for log-sum-exps."""
    return fold(tensor, kv_heads) if tensor.dim() == 4 else fold(tensor[..., None], kv_heads)[..., 0]


def _keys(part: Part, key: Tensor, value: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
    keys, values = (context.keys, context.values) if part.stored and context is not None else (key, value)
    return keys[:, :, part.start : part.end], values[:, :, part.start : part.end]


def _sum_heads(grads: Tensor, kv_heads: int) -> Tensor:
    batch, heads = grads.shape[:2]
    if heads == kv_heads:
        return grads
    return grads.reshape(batch, kv_heads, heads // kv_heads, *grads.shape[2:]).sum(2)


def _rows(tensor: Tensor, batch: Batch) -> Tensor:
    """`[1, h, n, ...]` to `[branches, h, longest, ...]`."""
    return tensor[0][:, batch.index].transpose(0, 1)


def _flat(tensor: Tensor, batch: Batch) -> Tensor:
    """`[branches, h, longest, ...]` to `[1, h, real tokens, ...]`."""
    return tensor.transpose(0, 1)[:, batch.real][None]


def _gather(batch: Batch, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    heads = query.shape[1]
    keys, values = (repeat_heads(_rows(x, batch), heads) for x in (key, value))
    return _rows(query, batch), keys, values


def _layout(row: Row, *, stored: bool, device: torch.device) -> Layout:
    parts: list[Part] = []
    branches: list[tuple[int, int]] = []
    for block in row.blocks:
        whole = slice(block.start, block.start + block.tokens)
        shared_end = block.start + block.shared
        if block.context:
            parts.append(Part(whole, block.context_start, block.context_end, causal=False, stored=stored))
        if block.shared:
            parts.append(Part(slice(block.start, shared_end), block.start, shared_end, causal=True, stored=False))
        if block.shared and block.branches:
            parts.append(Part(slice(shared_end, whole.stop), block.start, shared_end, causal=False, stored=False))
        at = shared_end
        for length in block.branches:
            branches.append((at, length))
            at += length
    lone = not branches and all(not block.context for block in row.blocks)
    return Layout(parts=tuple(parts), batches=_batches(branches, device), lone=lone)


def _batches(branches: list[tuple[int, int]], device: torch.device) -> tuple[Batch, ...]:
    """Branches in batches whose longest is at most twice their shortest (by powers of two)."""
    alike: dict[int, list[tuple[int, int]]] = {}
    for start, length in branches:
        alike.setdefault(max(length - 1, 15).bit_length(), []).append((start, length))
    batches = []
    for members in alike.values():
        starts, lengths = torch.tensor(members, device=device).T
        steps = torch.arange(int(lengths.max()), device=device)
        real = steps < lengths[:, None]
        index = starts[:, None] + torch.where(real, steps, 0)
        batches.append(Batch(index=index, real=real))
    return tuple(batches)

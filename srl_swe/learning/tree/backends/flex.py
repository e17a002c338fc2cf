"""FlexAttention with a block mask computed from the row's ints: for GPUs. torch has no backward for it on CPUs.

`create_block_mask` evaluates N x N visibilities; `block_mask` here takes time proportional to N and to the number of
block pairs. The compiled kernel is kept across rows by padding them to a multiple of the block size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from ..layout import sees, visibility
from ..store import Context, tapped
from .view import RowView

BLOCK = 128


def flex(query: Tensor, key: Tensor, value: Tensor, context: Context | None, view: RowView, scaling: float) -> Tensor:
    """Attend through a block mask (see `Backend`)."""
    if context is not None:
        stored_keys, stored_values = tapped(context)
        key, value = torch.cat((stored_keys, key), 2), torch.cat((stored_values, value), 2)
    tokens, positions = query.shape[2], key.shape[2]
    padding = [-tokens % BLOCK, -positions % BLOCK]
    query, key, value = (
        torch.nn.functional.pad(x, (0, 0, 0, p))
        for x, p in zip((query, key, value), (padding[0], *padding[1:] * 2), strict=True)
    )
    mask = view.cached("flex", lambda: block_mask(view))
    out: Tensor = _kernel(query.device.type)(
        query, key, value, block_mask=mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    return out[:, :, :tokens]


@cache
def _kernel(device: str) -> Callable[..., Tensor]:
    if device == "cpu":
        return flex_attention
    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=True)
    return compiled


def block_mask(view: RowView, *, block: int = BLOCK) -> BlockMask:
    """The row's block mask; queries padded to whole blocks see nothing, as do all queries of padded keys."""
    ints = visibility(view.row, begin=view.begin)
    tokens = ints.shape[1]
    padded_tokens = tokens + -tokens % block
    positions = view.begin + tokens
    touched, full = _block_pairs(ints, view.begin, block)
    held = torch.zeros(5, padded_tokens, dtype=torch.long)
    held[4:] = positions + padded_tokens
    held[:, :tokens] = ints
    held = held.to(view.device)
    begin = view.begin

    def mask_mod(batch: Tensor, head: Tensor, q_idx: Tensor, kv_idx: Tensor) -> Tensor:
        return sees(held[:, q_idx], q_idx + begin, kv_idx)

    partial = _listed(touched & ~full, view.device)
    whole = _listed(full, view.device)
    made: BlockMask = BlockMask.from_kv_blocks(
        *partial,
        *whole,
        BLOCK_SIZE=block,
        mask_mod=mask_mod,
        seq_lengths=(padded_tokens, positions + -positions % block),
    )
    return made


def _block_pairs(ints: Tensor, begin: int, block: int) -> tuple[Tensor, Tensor]:
    """Which (query block, key block) pairs are touched, and which are seen in full by one range of every query."""
    tokens = ints.shape[1]
    query = torch.arange(tokens)
    position = query + begin + 1
    starts = torch.stack((ints[0], ints[2], ints[4]))
    ends = torch.stack((ints[1], torch.minimum(ints[3], position), position))
    ends = torch.maximum(starts, ends)
    query_blocks, key_blocks = -(-tokens // block), -(-(begin + tokens) // block)
    rows = (query // block).expand(3, -1)
    first, last = starts // block, torch.where(ends > starts, (ends - 1) // block + 1, starts // block)
    touched = _coverage(rows, first, last, query_blocks, key_blocks) > 0
    first, last = -(-starts // block), ends // block
    full = _coverage(rows, first, torch.maximum(first, last), query_blocks, key_blocks) == block
    return touched, full


def _coverage(rows: Tensor, first: Tensor, last: Tensor, query_blocks: int, key_blocks: int) -> Tensor:
    """`[query_blocks, key_blocks]`: how many ranges `[first, last)` of a query block cover each key block."""
    steps = torch.zeros(query_blocks, key_blocks + 2, dtype=torch.long)
    one = torch.ones_like(first)
    steps.index_put_((rows, first.clamp(max=key_blocks + 1)), one, accumulate=True)
    steps.index_put_((rows, last.clamp(max=key_blocks + 1)), -one, accumulate=True)
    return steps.cumsum(1)[:, :key_blocks]


def _listed(pairs: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Counts `[1, 1, query_blocks]` and indexes `[1, 1, query_blocks, key_blocks]` of a bool block matrix."""
    counts = pairs.sum(1, dtype=torch.int32)
    indexes = pairs.int().argsort(dim=1, descending=True, stable=True).int()
    return counts[None, None].to(device), indexes[None, None].to(device)

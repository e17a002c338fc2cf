"""FlexAttention with a block mask computed from the row's ints: for GPUs. torch has no backward for it on CPUs.

`create_block_mask` evaluates N x N visibilities; `block_mask` here takes time proportional to N and to the number of
block pairs. The compiled kernel is kept across rows by padding them to whole blocks. Keys get one block more, which
nobody sees: were there ever as many keys as queries, torch would compile that case once more, for seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.functional import pad

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
    query = pad(query, (0, 0, 0, -tokens % BLOCK))
    key, value = (pad(part, (0, 0, 0, -positions % BLOCK + BLOCK)) for part in (key, value))
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
    """The row's block mask over whole blocks of queries, and of keys plus one; a padded query sees position 0 only."""
    ints = visibility(view.row, begin=view.begin)
    positions = view.begin + ints.shape[1]
    padding = torch.tensor([0, 1, 0, 0, 2 * (positions + block)])[:, None].expand(-1, -ints.shape[1] % block)
    ints = torch.cat((ints, padding), 1)
    query = torch.arange(ints.shape[1]) + view.begin
    touched, full = _block_pairs(ints, query, -(-positions // block) + 1, block)
    held = tuple(bound.contiguous().to(view.device) for bound in (*ints, query))

    def mask_mod(batch: Tensor, head: Tensor, q_idx: Tensor, kv_idx: Tensor) -> Tensor:
        *bounds, position = (bound[q_idx] for bound in held)  # tensors only: an int would be compiled in
        return sees(bounds, position, kv_idx)

    made: BlockMask = BlockMask.from_kv_blocks(
        *_listed(touched & ~full, view.device),
        *_listed(full, view.device),
        BLOCK_SIZE=block,
        mask_mod=mask_mod,
        seq_lengths=(ints.shape[1], positions + -positions % block + block),
    )
    return made


def _block_pairs(ints: Tensor, query: Tensor, key_blocks: int, block: int) -> tuple[Tensor, Tensor]:
    """Which (query block, key block) pairs are touched, and which are seen in full by one range of every query.

    ints `[5, N]` and query positions `[N]`, N in whole blocks; both results `[N / block, key_blocks]`.
    """
    starts = torch.stack((ints[0], ints[2], ints[4]))
    ends = torch.stack((ints[1], torch.minimum(ints[3], query + 1), query + 1))
    ends = torch.maximum(starts, ends)
    rows = (torch.arange(ints.shape[1]) // block).expand(3, -1)
    first, last = starts // block, torch.where(ends > starts, (ends - 1) // block + 1, starts // block)
    query_blocks = ints.shape[1] // block
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

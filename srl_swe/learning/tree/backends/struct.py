"""One scaled-dot-product attention per block, over its context and itself. Runs wherever torch does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..layout import Block
from ..store import Context, tapped
from .view import RowView, fold, repeat_heads, unfold


def struct(query: Tensor, key: Tensor, value: Tensor, context: Context | None, view: RowView, scaling: float) -> Tensor:
    """Attend block by block (see `Backend`); a context is copied for each block that reads it."""
    before = (key, value) if context is None else tapped(context)
    pieces = []
    for block in view.row.blocks:
        span = slice(block.start, block.start + block.tokens)
        own = query[:, :, span], key[:, :, span], value[:, :, span]
        pieces.append(_attend(own, before, block, view, scaling))
    return torch.cat(pieces, 2)


def _attend(
    own: tuple[Tensor, Tensor, Tensor], before: tuple[Tensor, Tensor], block: Block, view: RowView, scaling: float
) -> Tensor:
    query, key, value = own
    heads, kv_heads = query.shape[1], key.shape[1]
    if not block.context and not block.branches:
        key, value = repeat_heads(key, heads), repeat_heads(value, heads)
        return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    seen = slice(block.context_start, block.context_end)
    key = torch.cat((before[0][:, :, seen], key), 2)
    value = torch.cat((before[1][:, :, seen], value), 2)
    mask = view.cached(("struct", block.start, heads // kv_heads), lambda: _mask(block, heads // kv_heads, view))
    folded = scaled_dot_product_attention(fold(query, kv_heads), key, value, attn_mask=mask, scale=scaling)
    return unfold(folded, heads)


def _mask(block: Block, groups: int, view: RowView) -> Tensor:
    """`[groups * n, context + n]`: all of the context, then causal within the shared tokens and each branch."""
    own = torch.ones(block.tokens, block.tokens, dtype=torch.bool, device=view.device).tril()
    at = block.shared
    for length in block.branches:
        own[at : at + length, block.shared : at] = False
        at += length
    seen = own.new_ones(block.tokens, block.context)
    return torch.cat((seen, own), 1).repeat(groups, 1)

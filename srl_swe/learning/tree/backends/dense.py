"""The reference: one attention over the row with a dense mask. Work and memory grow with N squared."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..store import Context, tapped
from .view import RowView, repeat_heads


def dense(query: Tensor, key: Tensor, value: Tensor, context: Context | None, view: RowView, scaling: float) -> Tensor:
    """Attend with a `[N, begin + N]` mask (see `Backend`)."""
    if context is not None:
        stored_keys, stored_values = tapped(context)
        key, value = torch.cat((stored_keys, key), 2), torch.cat((stored_values, value), 2)
    mask = view.cached("dense", view.mask)
    heads = query.shape[1]
    return scaled_dot_product_attention(
        query, repeat_heads(key, heads), repeat_heads(value, heads), attn_mask=mask, scale=scaling
    )

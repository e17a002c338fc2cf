"""What a back end gets: the row, where its tokens stand among key/value positions, and grouped-query reshapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from ..layout import Row, sees, visibility
from ..store import Context


@dataclass(frozen=True, slots=True)
class RowView:
    """A row as one forward sees it, shared by all layers; `cached` keeps what a back end derives from it once.

    begin: number of stored key/value positions before the row's own (0 without a store).
    """

    row: Row
    begin: int
    device: torch.device
    scratch: dict[object, Any] = field(default_factory=dict)

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """`make()`, computed at the first layer that asks for `key`."""
        if key not in self.scratch:
            self.scratch[key] = make()
        return self.scratch[key]

    def mask(self) -> Tensor:
        """Dense visibility `[N, begin + N]`, bool."""
        ints = visibility(self.row, begin=self.begin)[:, :, None]
        tokens = len(self.row.token_ids)
        query = torch.arange(self.begin, self.begin + tokens)[:, None]
        return sees(ints, query, torch.arange(self.begin + tokens)[None, :]).to(self.device)


class Backend(Protocol):
    """Attention of one layer over a row.

    query `[1, heads, N, head_dim]`, key and value `[1, kv_heads, N, head_dim]`, context: stored positions or None.
    Gives `[1, heads, N, head_dim]`; gradients of stored positions go to the context's sums.
    """

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, context: Context | None, view: RowView, scaling: float
    ) -> Tensor:
        """Attend."""
        ...


def fold(query: Tensor, kv_heads: int) -> Tensor:
    """`[b, heads, n, d]` to `[b, kv_heads, groups * n, d]`: queries of heads that share keys become one run."""
    batch, heads, tokens, width = query.shape
    return query.reshape(batch, kv_heads, heads // kv_heads * tokens, width)


def unfold(folded: Tensor, heads: int) -> Tensor:
    """The inverse of `fold`, also for `[b, kv_heads, groups * n]`."""
    batch, kv_heads, run = folded.shape[:3]
    return folded.reshape(batch, heads, run * kv_heads // heads, *folded.shape[3:])


def repeat_heads(key: Tensor, heads: int) -> Tensor:
    """`[b, kv_heads, n, d]` to `[b, heads, n, d]` for kernels that know no grouped queries."""
    return key if key.shape[1] == heads else key.repeat_interleave(heads // key.shape[1], 1)

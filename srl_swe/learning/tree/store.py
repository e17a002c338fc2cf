"""The stored keys and values of a trunk, and the gradients that its readers send back to them.

Readers get detached views, so each reader's graph ends at the store; what autograd would have sent further is summed
here, in float32 when the model computes in a half type, until the trunk's own backward takes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(slots=True)
class LayerStore:
    """One layer's keys and values `[1, kv_heads, length, head_dim]` and their gradient sums (same shape)."""

    keys: Tensor
    values: Tensor
    key_grads: Tensor | None = None
    value_grads: Tensor | None = None

    def add_grads(self, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Add gradients of positions `[start, end)`."""
        if self.key_grads is None or self.value_grads is None:
            self.key_grads = torch.zeros_like(self.keys, dtype=accumulator_dtype(self.keys.dtype))
            self.value_grads = torch.zeros_like(self.values, dtype=accumulator_dtype(self.values.dtype))
        self.key_grads[:, :, start:end] += keys
        self.value_grads[:, :, start:end] += values


@dataclass(frozen=True, slots=True)
class Context:
    """The stored positions `[0, end)` of one layer as its readers see them.

    With a parent, positions below `split` are the parent layer's and the rest this layer's own.
    """

    keys: Tensor
    values: Tensor
    layer: LayerStore
    parent: Context | None = None
    split: int = 0

    def add_grads(self, start: int, end: int, keys: Tensor, values: Tensor) -> None:
        """Add gradients of positions `[start, end)` where they belong."""
        here = max(self.split - start, 0)
        if self.parent is not None and here:
            stop = min(end, self.split)
            self.parent.add_grads(start, stop, keys[:, :, :here], values[:, :, :here])
        if end > self.split:
            own = slice(here, None)
            self.layer.add_grads(max(start - self.split, 0), end - self.split, keys[:, :, own], values[:, :, own])


@dataclass(slots=True)
class TrunkStore:
    """All layers' stored keys and values of a path of `length` tokens, after the first `base` tokens of `parent`."""

    length: int
    base: int = 0
    parent: TrunkStore | None = None
    layers: dict[int, LayerStore] = field(default_factory=dict)

    def write(self, start: int, captured: dict[int, tuple[Tensor, Tensor]]) -> None:
        """Keep the keys and values of path positions from `start`, as one forward captured them."""
        for layer, (keys, values) in captured.items():
            if layer not in self.layers:
                shape = (*keys.shape[:2], self.length, keys.shape[-1])
                self.layers[layer] = LayerStore(keys=keys.new_empty(shape), values=values.new_empty(shape))
            stop = start + keys.shape[2]
            self.layers[layer].keys[:, :, start:stop] = keys.detach()
            self.layers[layer].values[:, :, start:stop] = values.detach()

    def read(self, layer: int, end: int) -> Context | None:
        """The first `end` positions of a layer, the parent's included; None when there are none."""
        if end == 0:
            return None
        above = self.parent.read(layer, min(self.base, end)) if self.parent is not None else None
        split = self.base if above is not None else 0
        if above is not None and (end <= split or layer not in self.layers):
            return above
        own = self.layers[layer]
        keys, values = own.keys[:, :, : end - split], own.values[:, :, : end - split]
        if above is not None:
            keys, values = torch.cat((above.keys, keys), 2), torch.cat((above.values, values), 2)
        return Context(keys=keys, values=values, layer=own, parent=above, split=split)

    def grads(self, layer: int, start: int, end: int) -> tuple[Tensor, Tensor] | None:
        """Gradient sums of path positions `[start, end)` of a layer; None when nothing was sent."""
        own = self.layers.get(layer)
        if own is None or own.key_grads is None or own.value_grads is None:
            return None
        return own.key_grads[:, :, start:end], own.value_grads[:, :, start:end]


def accumulator_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type that gradients of a type are summed in."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


class _Tap(torch.autograd.Function):
    """Hands out stored keys and values; its backward adds to the store's sums instead of going further."""

    @staticmethod
    def forward(ctx: Any, keys: Tensor, values: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        ctx.context = context
        return keys.view_as(keys), values.view_as(values)

    @staticmethod
    def backward(ctx: Any, key_grads: Tensor, value_grads: Tensor) -> tuple[None, None, None]:
        ctx.context.add_grads(0, key_grads.shape[2], key_grads, value_grads)
        return None, None, None


def tapped(context: Context) -> tuple[Tensor, Tensor]:
    """The context's keys and values for use in ordinary autograd; gradients flow into the store."""
    if not torch.is_grad_enabled():
        return context.keys, context.values
    keys, values = context.keys.detach().requires_grad_(), context.values.detach().requires_grad_()
    handed: tuple[Tensor, Tensor] = _Tap.apply(keys, values, context)  # type: ignore[no-untyped-call]
    return handed


class _Inject(torch.autograd.Function):
    """A zero whose gradient with respect to `values` is `grads`: joins stored gradients to a loss."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grads: Tensor) -> Tensor:
        ctx.save_for_backward(grads)
        return values.new_zeros((), dtype=accumulator_dtype(values.dtype))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (grads,) = ctx.saved_tensors
        return grads * upstream, None


def inject(values: Tensor, grads: Tensor) -> Tensor:
    """A scalar zero; the backward of a sum it is part of sends `grads` (same shape) into `values`."""
    joined: Tensor = _Inject.apply(values, grads.to(values.dtype))  # type: ignore[no-untyped-call]
    return joined

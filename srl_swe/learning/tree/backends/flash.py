"""Attention kernels that give their log-sum-exp and take any of it back: the parts that `cascade` joins.

Passing the joined output and log-sum-exp to a part's backward gives that part's exact gradients (as ring attention
does), because the kernels only use them to rebuild probabilities as exp(score - lse).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_ATEN = torch.ops.aten


class Flash(Protocol):
    """A kernel pair. Equal head counts; query `[b, h, n, d]`, key and value `[b, h, m, d]`; causal needs n == m."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float) -> tuple[Tensor, Tensor]:
        """Output `[b, h, n, d]` and log-sum-exp `[b, h, n]`."""
        ...

    def backward(
        self, grad: Tensor, parts: tuple[Tensor, Tensor, Tensor], out: Tensor, lse: Tensor, causal: bool, scaling: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of query, key, value, given the gradient, output and log-sum-exp of the joined attention."""
        ...


@dataclass(frozen=True, slots=True)
class CpuFlash:
    """torch's CPU flash attention, any floating type."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float) -> tuple[Tensor, Tensor]:
        """See `Flash`."""
        out, lse = _ATEN._scaled_dot_product_flash_attention_for_cpu(query, key, value, 0.0, causal, scale=scaling)
        return out, lse

    def backward(
        self, grad: Tensor, parts: tuple[Tensor, Tensor, Tensor], out: Tensor, lse: Tensor, causal: bool, scaling: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Flash`."""
        grads: tuple[Tensor, Tensor, Tensor] = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward(
            grad, *parts, out, lse, 0.0, causal, scale=scaling
        )
        return grads


@dataclass(frozen=True, slots=True)
class CudaFlash:
    """torch's CUDA flash attention: half types, head sizes that are multiples of 8."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float) -> tuple[Tensor, Tensor]:
        """See `Flash`."""
        found = _ATEN._scaled_dot_product_flash_attention(query, key, value, 0.0, causal, False, scale=scaling)
        return found[0], found[1]

    def backward(
        self, grad: Tensor, parts: tuple[Tensor, Tensor, Tensor], out: Tensor, lse: Tensor, causal: bool, scaling: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Flash`."""
        query, key, _ = parts
        lse = lse.contiguous()  # the kernel reads it as if it were
        seed = torch.zeros(2, dtype=torch.uint64, device=query.device)
        offset = torch.zeros((), dtype=torch.uint64, device=query.device)
        grads: tuple[Tensor, Tensor, Tensor] = _ATEN._scaled_dot_product_flash_attention_backward(
            grad, *parts, out, lse, None, None, query.shape[2], key.shape[2], 0.0, causal, seed, offset, scale=scaling
        )
        return grads


def flash_for(query: Tensor) -> Flash | None:
    """The kernel pair for queries like this one; None where torch has none for their device, type or head size."""
    if query.device.type == "cpu":
        return CpuFlash()
    half = query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] % 8 == 0
    return CudaFlash() if query.device.type == "cuda" and half else None

"""The one attention name, "srl_tree": tree attention when a forward is given `tree=`, plain sdpa otherwise.

Because the name never changes, generation, evaluation and checkpoint recomputation need no switching.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from srl_swe_envs.errors import ConfigError

from .backends.cascade import cascade
from .backends.dense import dense
from .backends.flex import flex
from .backends.struct import struct
from .backends.view import Backend, RowView
from .layout import Row, whole_row
from .types import Branch, Step, Tree

NAME = "srl_tree"
BACKENDS: dict[str, Backend] = {"dense": dense, "struct": struct, "cascade": cascade, "flex": flex}
_UNSUPPORTED = ("s_aux", "softcap", "position_bias")


class TreeAttention(Protocol):
    """What a forward passes as `tree=`: it attends for every layer."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Query `[1, heads, N, d]`, key and value `[1, kv_heads, N, d]`, rotated; gives `[1, heads, N, d]`."""
        ...

    @property
    def reach(self) -> int:
        """The largest distance between a query and a position it sees, plus one."""
        ...


def register() -> None:
    """Make "srl_tree" known to transformers. Idempotent."""
    AttentionInterface.register(NAME, _srl_tree)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _srl_tree(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree: TreeAttention | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Tensor, None]:
    if tree is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return plain
    if dropout:
        raise ConfigError("tree training needs attention_dropout = 0 in the model's config")
    found = [name for name in _UNSUPPORTED if others.get(name) is not None]
    window = others.get("sliding_window")
    if found or (window is not None and tree.reach > window):
        raise ConfigError(f"tree attention knows no {found or f'sliding window of {window}'}: set tree.enabled = false")
    if torch.is_autocast_enabled(query.device.type):
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = tree.attend(module.layer_idx, query, key, value, scaling)  # type: ignore[arg-type]
    return out.transpose(1, 2).contiguous(), None


def backend_for(name: str, query: Tensor, key: Tensor) -> Backend:
    """The back end of a name, for tensors as `TreeAttention.attend` gets them; see `choose` for "auto"."""
    if name == "auto":
        name = choose(query.device, query.dtype, (query.shape[1], key.shape[1]), query.shape[-1])
    return BACKENDS[name]


@functools.cache
def choose(device: torch.device, dtype: torch.dtype, heads: tuple[int, int], head_dim: int) -> str:
    """The fastest back end that passes the self-test for this device, type, (heads, kv_heads) and head size."""
    order = {"cuda": ("flex", "cascade", "struct"), "cpu": ("cascade", "struct")}
    for name in order.get(device.type, ("struct",)):
        if agrees(name, device, dtype, heads, head_dim):
            return name
    return "dense"


def agrees(name: str, device: torch.device, dtype: torch.dtype, heads: tuple[int, int], head_dim: int) -> bool:
    """The self-test: whether a back end gives dense's output and gradients on a small tree."""
    # A forward that asks may run under autocast, without gradient, in inference mode, or in a checkpoint, which counts
    # what is saved for its backward.
    apart = torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)
    with torch.autocast(device.type, enabled=False), torch.inference_mode(False), torch.enable_grad(), apart:
        try:
            found = _trial(name, device, dtype, heads, head_dim)
        except (RuntimeError, NotImplementedError, ImportError, ConfigError):
            return False  # the kernel does not exist for this device or type
        expected = _trial("dense", device, dtype, heads, head_dim)
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-4}.get(dtype, 5e-2)
    return all(bool((a - b).norm() <= tolerance * b.norm()) for a, b in zip(found, expected, strict=True))


def _trial(
    name: str, device: torch.device, dtype: torch.dtype, heads: tuple[int, int], head_dim: int
) -> tuple[Tensor, ...]:
    row = _small_row()
    maker = torch.Generator().manual_seed(0)
    shapes = [(1, count, len(row.token_ids), head_dim) for count in (heads[0], heads[1], heads[1])]
    drawn = [torch.randn(shape, generator=maker).to(device, dtype) for shape in shapes]
    query, key, value = (tensor.requires_grad_() for tensor in drawn)
    view = RowView(row=row, begin=0, device=device)
    out = BACKENDS[name](query, key, value, None, view, head_dim**-0.5)
    weights = torch.randn(out.shape, generator=maker).to(device, dtype)
    grads = torch.autograd.grad((out * weights).sum(), (query, key, value))
    return (out.detach().float(), *(grad.float() for grad in grads))


def _small_row() -> Row:
    steps = (Step(prompt_end=70), Step(prompt_end=270, suffix=(1, 2, 3)), Step(prompt_end=300))
    branches = tuple(Branch(step=k, token_ids=(1,) * (3 + 9 * g)) for k in range(3) for g in range(3))
    return whole_row(((0, Tree(trunk=(1,) * 300, steps=steps, branches=branches)),))

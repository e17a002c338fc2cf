"""One decoding step of many replies: each row is one reply's newest token, its prompt a view of a stored trunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..tree.backends.flash import flash_for
from ..tree.backends.view import fold, unfold
from ..tree.model import Logits
from ..tree.store import TrunkStore

_GROWTH = 64  # columns by which the replies' own cache grows


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Neighbouring rows `[start, end)` that read the first `prompt_end` tokens of a stored trunk.

    hidden: bool `[end - start, prompt_end]`, the tokens after a row's own prompt; None when all have the same prompt.
    """

    store: TrunkStore
    prompt_end: int
    start: int
    end: int
    hidden: Tensor | None = None


@dataclass(slots=True)
class OwnCache:
    """Keys and values of the replies' own tokens (and suffixes), per layer `[rows, kv_heads, columns, head_dim]`.

    All rows write the same column; a row whose suffix is shorter begins at a later column (`begins`).
    """

    begins: Tensor
    used: int
    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def put(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write this step's keys and values `[1, kv_heads, rows, d]`; gives all columns up to them."""
        keys, values = self.layers.get(layer, (None, None))
        if keys is None or values is None or keys.shape[2] <= self.used:
            keys, values = self._grown(keys, key), self._grown(values, value)
            self.layers[layer] = keys, values
        keys[:, :, self.used] = key[0].transpose(0, 1)
        values[:, :, self.used] = value[0].transpose(0, 1)
        return keys[:, :, : self.used + 1], values[:, :, : self.used + 1]

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        self.begins = self.begins[rows]
        for layer, (keys, values) in self.layers.items():
            self.layers[layer] = keys[rows], values[rows]

    def _grown(self, old: Tensor | None, like: Tensor) -> Tensor:
        columns = self.used + 1 if old is None else old.shape[2]
        grown = like.new_zeros(like.shape[2], like.shape[1], columns + _GROWTH, like.shape[3])
        if old is not None:
            grown[:, :, : old.shape[2]] = old
        return grown


@dataclass(slots=True)
class DecodePass:
    """The `tree=` argument of a decoding forward (see `srl_swe.learning.tree.model.TreeReader`)."""

    cohorts: tuple[Cohort, ...]
    cache: OwnCache
    reach: int

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Each row sees its prompt and its own earlier tokens."""
        out, lse = self._own(layer, query, key, value, scaling)
        flash = flash_for(query)
        for cohort in self.cohorts:
            context = cohort.store.read(layer, cohort.prompt_end)
            if context is None:
                continue
            folded = fold(query[:, :, cohort.start : cohort.end], key.shape[1])
            if flash is None or cohort.hidden is not None:
                seen, weight = _plain(folded, context.keys, context.values, cohort.hidden, scaling)
            else:
                seen, weight = flash.forward(folded, context.keys, context.values, False, scaling)
            heads = query.shape[1]
            _join(out, lse, slice(cohort.start, cohort.end), unfold(seen, heads), unfold(weight, heads))
        return out.to(query.dtype)

    def read_out(self, hidden: Tensor, head: Callable[[Tensor], Tensor]) -> Logits:
        """Logits of every row."""
        return Logits(logits=head(hidden[0]))

    def _own(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> tuple[Tensor, Tensor]:
        """Attention to the rows' own tokens: `[1, heads, rows, d]` and log-sum-exp `[1, heads, rows]`, float32 up."""
        keys, values = self.cache.put(layer, key, value)
        heads, rows, width = query.shape[1:]
        folded = query[0].transpose(0, 1).reshape(rows, keys.shape[1], -1, width)
        scores = _wide(folded @ keys.transpose(-1, -2)) * scaling
        hidden = torch.arange(keys.shape[2], device=keys.device) < self.cache.begins[:, None]
        scores = scores.masked_fill(hidden[:, None, None], -torch.inf)
        lse = scores.logsumexp(-1)
        out = (scores - lse[..., None]).exp().to(values.dtype) @ values
        return _wide(out.reshape(rows, heads, width).transpose(0, 1)[None]), lse.reshape(rows, heads).T[None].clone()


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _plain(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None, scaling: float) -> tuple[Tensor, Tensor]:
    scores = _wide(query @ key.transpose(-1, -2)) * scaling
    if hidden is not None:
        scores = scores.masked_fill(hidden.repeat(scores.shape[-2] // hidden.shape[0], 1), -torch.inf)
    lse = scores.logsumexp(-1)
    seen = lse.clamp(min=torch.finfo(lse.dtype).min)  # a row that sees nothing has no weights, not undefined ones
    return (scores - seen[..., None]).exp().to(value.dtype) @ value, lse


def _join(out: Tensor, lse: Tensor, rows: slice, more: Tensor, weight: Tensor) -> None:
    """Join another part of the keys into `out` and `lse`, in place."""
    both = torch.logaddexp(lse[:, :, rows], weight.to(lse.dtype))
    kept = out[:, :, rows] * (lse[:, :, rows] - both).exp()[..., None]
    out[:, :, rows] = kept + more.to(out.dtype) * (weight.to(lse.dtype) - both).exp()[..., None]
    lse[:, :, rows] = both

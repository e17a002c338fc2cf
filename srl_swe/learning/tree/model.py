"""Makes a causal language model of transformers tree-capable, and runs one row through it.

`prepare` sets the attention and teaches the model's forward one more keyword, `tree=`: given it, the forward returns
what the tree object reads out of the hidden states instead of logits. The call still goes through whatever wraps the
model (PEFT, DDP, FSDP2, accelerate), so their hooks run.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from srl_swe_envs.errors import ConfigError

from .attention import BACKENDS, NAME, TreeAttention, backend_for, register
from .backends.view import RowView
from .head import score
from .layout import Row
from .store import TrunkStore

_BACKEND = "_srl_tree_backend"
_PLAIN = "_srl_plain_forward"


class TreeReader(TreeAttention, Protocol):
    """A `tree=` argument: attends for the layers, then reads the hidden states."""

    def read_out(self, hidden: Tensor, head: Callable[[Tensor], Tensor]) -> ModelOutput:
        """hidden `[1, N, width]` after the final norm; head: from hidden states `[M, width]` to logits."""
        ...


@dataclass
class Scores(ModelOutput):  # type: ignore[misc]
    """What a row's forward gives: log-probability and entropy of each loss term, `[M]` each."""

    logps: Tensor | None = None
    entropies: Tensor | None = None


@dataclass(slots=True)
class RowPass:
    """One row's forward. With `capture`, each layer's keys and values stay in `captured`, in the graph.

    backend: a name of `attention.BACKENDS`, or "auto".
    """

    view: RowView
    backend: str
    store: TrunkStore | None
    sources: Tensor
    targets: Tensor
    vocabulary: int
    temperature: float = 1.0
    capture: bool = False
    captured: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @property
    def reach(self) -> int:
        """See `TreeAttention`."""
        return max(self.view.row.positions) + 1

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See `TreeAttention`."""
        if self.capture:
            self.captured.setdefault(layer, (key, value))  # a checkpoint's recomputation comes here again
        context = self.store.read(layer, self.view.begin) if self.store is not None else None
        return backend_for(self.backend, query, key)(query, key, value, context, self.view, scaling)

    def read_out(self, hidden: Tensor, head: Callable[[Tensor], Tensor]) -> Scores:
        """Score the loss terms."""
        chosen = hidden[0].index_select(0, self.sources)
        logps, entropies = score(chosen, head, self.targets, temperature=self.temperature, vocabulary=self.vocabulary)
        return Scores(logps=logps, entropies=entropies)


def prepare(model: nn.Module, *, backend: str = "auto") -> None:
    """Make a model tree-capable. Call before wrapping it in DDP.

    backend: "cascade", "struct", "flex", "dense" or "auto": the fastest that passes the self-test for the device and
    type that the first forward meets, which are not yet the model's own before a trainer has placed it.
    Raises ConfigError for models whose layers are not all attention, and for an unknown back end.
    """
    if backend != "auto" and backend not in BACKENDS:
        raise ConfigError(f"unknown tree attention {backend!r}; known: auto, {', '.join(BACKENDS)}")
    causal = causal_lm(model)
    refuse_hybrid(causal.config)
    register()
    causal.set_attn_implementation(NAME)
    setattr(causal, _BACKEND, backend)
    if not hasattr(causal, _PLAIN):
        setattr(causal, _PLAIN, causal.forward)
        causal.forward = types.MethodType(_tree_forward(type(causal)), causal)


def refuse_hybrid(config: Any) -> None:
    """Raise ConfigError if a branch's tokens could reach its siblings other than through attention."""
    kinds = set(getattr(config, "layer_types", None) or ())
    kinds |= set(getattr(config, "layers_block_type", None) or ())
    strange = kinds - {"full_attention", "sliding_attention", "attention"}
    states = ("ssm_cfg", "mamba_d_state", "state_size", "linear_num_key_heads")
    state = [name for name in states if hasattr(config, name)]
    if strange or state:
        found = ", ".join(sorted(strange) or state)
        raise ConfigError(
            f"{config.model_type} has layers that are not attention ({found}): their state would run from one reply "
            "into the next. Set tree.enabled = false to train it with one row per reply."
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in ("dynamic", "longrope"):
        raise ConfigError(f"rope_type {rope['rope_type']!r} rotates by the row's length: set tree.enabled = false")


def causal_lm(model: nn.Module) -> Any:
    """The causal language model under PEFT, DDP and other wrappers."""
    found: Any = model
    while True:
        if hasattr(found, "get_base_model"):
            found = found.get_base_model()
        elif isinstance(getattr(found, "module", None), nn.Module):
            found = found.module
        elif hasattr(found, "_orig_mod"):
            found = found._orig_mod
        else:
            return found


def run_row(
    model: nn.Module, row: Row, *, store: TrunkStore | None = None, capture: bool = False, temperature: float = 1.0
) -> tuple[Scores, RowPass]:
    """Forward one row; gives its scores, and the pass with the captured keys and values if asked for."""
    tree = _row_pass(RowPass, model, row, row.terms.sources, store)
    tree.temperature, tree.capture = temperature, capture
    scores: Scores = forward_tree(model, row.token_ids, row.positions, tree, tree.view.device)
    return scores, tree


def logits_of(
    model: nn.Module, row: Row, store: TrunkStore, chosen: Sequence[int]
) -> tuple[Tensor, dict[int, tuple[Tensor, Tensor]]]:
    """Forward one row; gives the logits `[chosen, vocabulary]` after some tokens, and all layers' keys and values."""
    tree = _row_pass(_LogitPass, model, row, chosen, store)
    tree.capture = True
    found: Logits = forward_tree(model, row.token_ids, row.positions, tree, tree.view.device)
    assert found.logits is not None
    return found.logits, tree.captured


def _row_pass(
    kind: type[RowPass], model: nn.Module, row: Row, sources: Sequence[int], store: TrunkStore | None
) -> RowPass:
    causal = causal_lm(model)
    if not hasattr(causal, _BACKEND):
        raise ConfigError("the model is not tree-capable yet: call srl_swe.learning.tree.prepare(model) first")
    device = next(causal.parameters()).device
    begin = max((block.context_end for block in row.blocks), default=0) if store is not None else 0
    return kind(
        view=RowView(row=row, begin=begin, device=device),
        backend=getattr(causal, _BACKEND),
        store=store,
        sources=torch.tensor(sources, dtype=torch.long, device=device),
        targets=torch.tensor(row.terms.targets, dtype=torch.long, device=device),
        vocabulary=causal.config.get_text_config().vocab_size,
    )


@dataclass
class Logits(ModelOutput):  # type: ignore[misc]
    """Logits of the tokens after some others, `[some, vocabulary]`."""

    logits: Tensor | None = None


@dataclass(slots=True)
class _LogitPass(RowPass):
    def read_out(self, hidden: Tensor, head: Callable[[Tensor], Tensor]) -> Logits:
        return Logits(logits=head(hidden[0].index_select(0, self.sources)))


def forward_tree(model: nn.Module, token_ids: Any, positions: Any, tree: TreeReader, device: torch.device) -> Any:
    """Call the model on one row of token ids and positions with a `tree=` argument."""
    return model(
        input_ids=torch.as_tensor(token_ids, dtype=torch.long, device=device)[None],
        position_ids=torch.as_tensor(positions, dtype=torch.long, device=device)[None],
        # A 4-D mask is passed on as it is; None would let transformers guess packed sequences from the positions.
        attention_mask=torch.zeros(1, 1, 1, 1, device=device),
        use_cache=False,
        tree=_Sealed(tree),
    )


class _Sealed:
    """A tree argument that no wrapper looks into: FSDP2 copies dataclasses on the way to replace tensors in them."""

    __slots__ = ("_tree", "attend", "read_out")

    def __init__(self, tree: TreeReader) -> None:
        self._tree = tree
        self.attend = tree.attend
        self.read_out = tree.read_out

    @property
    def reach(self) -> int:
        """See `TreeAttention`."""
        return self._tree.reach


def _tree_forward(kind: type[nn.Module]) -> Any:
    @functools.wraps(kind.forward)
    def forward(self: Any, *args: Any, tree: TreeReader | None = None, **kwargs: Any) -> Any:
        if tree is None:
            return getattr(self, _PLAIN)(*args, **kwargs)
        decoder = getattr(self, self.base_model_prefix)
        hidden = decoder(*args, tree=tree, **kwargs).last_hidden_state
        scale, cap = _logit_rule(self.config.get_text_config())

        def head(states: Tensor) -> Tensor:
            logits: Tensor = self.get_output_embeddings()(states)
            logits = logits if scale == 1.0 else logits * scale
            return logits if cap is None else torch.tanh(logits / cap) * cap

        return tree.read_out(hidden, head)

    return forward


def _logit_rule(config: Any) -> tuple[float, float | None]:
    """What a model does to its logits: a factor (Cohere, Granite) and a soft cap (Gemma 2)."""
    scale = getattr(config, "logit_scale", None)
    if scale is None and getattr(config, "logits_scaling", None) is not None:
        scale = 1 / config.logits_scaling
    return (1.0 if scale is None else scale), getattr(config, "final_logit_softcapping", None)

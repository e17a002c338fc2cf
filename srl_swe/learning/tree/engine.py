"""Log-probabilities and exact gradients of trees, with activations bounded by a token budget.

Use:

    prepare(model)                                          # once, before DDP: srl_swe.learning.tree.model
    tree = nest(prompts)                                    # or separate(prompts): token ids in, one trunk out
    tree = replace(tree, branches=(Branch(step=0, token_ids=..., advantage=..., sampler_logps=...), ...))
    normaliser = Normaliser.of(trees)                       # all-reduce the three counts over ranks
    sums = loss_backward(model, [drop_still(t) for t in trees], loss=LossConfig(clip_high=0.28),
                         normaliser=normaliser, max_tokens=4096)      # gradients are in .grad
    logprobs(model, trees, max_tokens=4096)                 # no gradient, per branch and expert span
    loss_backward(model, [Tree(trunk=ids, expert_spans=((120, 180),))], loss=LossConfig(expert_weight=1.0), ...)  # SFT

A tree within the budget is one forward and backward. A larger one takes two passes (exact, B.5 of the design's
notes; as AReaL-DTA's and verl's tree prefix reuse): its trunk is forwarded without gradient in segments and its
keys and values are stored; each row of branches is forwarded and backpropagated against them, summing what it sends
to them; then the segments go in reverse, each forwarded with gradient and given its share of those sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from srl_swe_envs.errors import ConfigError

from .layout import EXPERT, Row, Terms
from .lockstep import Lockstep, Turn, alone
from .loss import LossConfig, LossSums, Normaliser, term_values, tree_loss
from .model import RowPass, Scores, run_row
from .planner import Pass, Spine, plan, turns
from .store import TrunkStore, inject
from .types import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLogps:
    """Log-probabilities of one tree.

    branches: per branch `[tokens]`, NaN where a token is not trained; expert: `[trunk tokens]`, NaN outside the spans;
    entropies like branches.
    """

    branches: tuple[Tensor, ...]
    expert: Tensor
    entropies: tuple[Tensor, ...]


@torch.no_grad()
def logprobs(
    model: nn.Module, trees: Sequence[Tree], *, max_tokens: int, temperature: float = 1.0
) -> tuple[TreeLogps, ...]:
    """Log-probabilities of the trees' trained tokens, on the CPU; no row longer than `max_tokens`."""
    found = tuple(_empty(tree) for tree in trees)

    def keep(terms: Terms, scores: Scores) -> None:
        assert scores.logps is not None
        assert scores.entropies is not None
        pairs = zip(scores.logps.cpu(), scores.entropies.cpu(), strict=True)
        places = zip(terms.trees, terms.branches, terms.offsets, strict=True)
        for (tree, which, offset), (logp, entropy) in zip(places, pairs, strict=True):
            if which == EXPERT:
                found[tree].expert[offset] = logp
            else:
                found[tree].branches[which][offset] = logp
                found[tree].entropies[which][offset] = entropy

    reader = _Reader(model=model, temperature=temperature, keep=keep)
    for item in plan(trees, max_tokens=max_tokens):
        reader.read(item)
    return found


def loss_backward(
    model: nn.Module,
    trees: Sequence[Tree],
    *,
    loss: LossConfig,
    normaliser: Normaliser,
    max_tokens: int,
    temperature: float = 1.0,
    backward: Callable[[Tensor], None] = Tensor.backward,
    lockstep: Lockstep = alone,
    scale: float = 1.0,
) -> LossSums:
    """Add the gradients of the trees' loss to the parameters' `.grad`; gives the sums for metrics.

    max_tokens: the longest row, i.e. how many tokens' activations exist at once.
    backward: called on scalars whose gradients add up (`accelerator.backward`); they include the gradients that the
    stored keys and values collected, so that it can't scale them itself (float16 is not supported).
    lockstep: keeps ranks that share one sharded model at the same forward and backward.
    scale: factor of all gradients, not of the loss that is given.
    """
    _refuse_reentrant(model)
    passes = plan(trees, max_tokens=max_tokens)
    with lockstep(turns(passes)) as turn:
        learner = _Learner(
            model=model,
            trees=trees,
            loss=loss,
            normaliser=normaliser,
            temperature=temperature,
            backward=backward,
            turn=turn,
            scale=scale,
        )
        for item in passes:
            if isinstance(item, Row):
                learner.learn(item, None)
            else:
                learner.learn_spine(item, None)
    return learner.sums


def _empty(tree: Tree) -> TreeLogps:
    def blank(length: int) -> Tensor:
        return torch.full((length,), torch.nan, dtype=torch.float64)

    return TreeLogps(
        branches=tuple(blank(len(branch.token_ids)) for branch in tree.branches),
        expert=blank(len(tree.trunk)),
        entropies=tuple(blank(len(branch.token_ids)) for branch in tree.branches),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Forwards passes without gradient."""

    model: nn.Module
    temperature: float
    keep: Callable[[Terms, Scores], None]

    def read(self, item: Pass, above: TrunkStore | None = None) -> None:
        if isinstance(item, Row):
            self._row(item, None, capture=False)
            return
        store = TrunkStore(length=item.length, base=item.base, parent=above)
        _fill(item.segments, store, lambda row, last: self._row(row, store, capture=item.read or not last))
        for leaf in item.leaves:
            self._row(leaf, store, capture=False)
        for child in item.children:
            self.read(child, store)

    def _row(self, row: Row, store: TrunkStore | None, *, capture: bool) -> RowPass:
        scores, tree = run_row(self.model, row, store=store, capture=capture, temperature=self.temperature)
        self.keep(row.terms, scores)
        return tree


def _fill(segments: Sequence[Row], store: TrunkStore, forward: Callable[[Row, bool], RowPass]) -> None:
    """Forward segments in order and store their keys and values."""
    for number, row in enumerate(segments):
        store.write(row.positions[0] - store.base, forward(row, number == len(segments) - 1).captured)


@dataclass(slots=True, kw_only=True)
class _Learner:
    """Forwards and backpropagates passes; `turn` is called before each forward."""

    model: nn.Module
    trees: Sequence[Tree]
    loss: LossConfig
    normaliser: Normaliser
    temperature: float
    backward: Callable[[Tensor], None]
    turn: Callable[[Turn], None]
    scale: float
    sums: LossSums = field(default_factory=LossSums)

    def learn_spine(self, spine: Spine, above: TrunkStore | None) -> None:
        """Two passes over a spine (see the module's docstring)."""
        store = TrunkStore(length=spine.length, base=spine.base, parent=above)
        with torch.no_grad():
            _fill(spine.stored, store, lambda row, last: self._store(row, store))
        for leaf in spine.leaves:
            self.learn(leaf, store)
        for child in spine.children:
            self.learn_spine(child, store)
        for row in reversed(spine.segments):
            self.learn(row, store, injected=True)

    def learn(self, row: Row, store: TrunkStore | None, *, injected: bool = False) -> None:
        """One forward and backward; `injected`: the row's own keys and values get their sums from the store."""
        self.turn(True)
        scores, tree = run_row(self.model, row, store=store, capture=injected, temperature=self.temperature)
        total = self.scale * self._loss(row, scores)
        if injected and store is not None:
            total = total + _stored_gradients(row, tree, store)
        if total.requires_grad:
            self.backward(total)

    def _store(self, row: Row, store: TrunkStore) -> RowPass:
        """Forward a segment without its loss terms, for its keys and values."""
        self.turn(False)
        bare = Row(token_ids=row.token_ids, positions=row.positions, blocks=row.blocks, terms=_NO_TERMS)
        return run_row(self.model, bare, store=store, capture=True)[1]

    def _loss(self, row: Row, scores: Scores) -> Tensor:
        assert scores.logps is not None
        assert scores.entropies is not None
        values = term_values(row.terms, self.trees, self.normaliser, self.loss, scores.logps)
        total, sums = tree_loss(scores.logps, scores.entropies, values, self.loss)
        self.sums += sums
        return total


_NO_TERMS = Terms(sources=(), targets=(), trees=(), branches=(), offsets=())


def _stored_gradients(row: Row, tree: RowPass, store: TrunkStore) -> Tensor:
    """A zero that sends the store's sums into the row's keys and values."""
    start = row.positions[0] - store.base
    total = torch.zeros((), device=tree.sources.device)
    for layer, captured in tree.captured.items():
        sums = store.grads(layer, start, start + len(row.token_ids))
        if sums is None:
            continue
        for values, grads in zip(captured, sums, strict=True):
            if values.requires_grad:
                total = total + inject(values, grads)
    return total


def _refuse_reentrant(model: nn.Module) -> None:
    """Reentrant checkpointing detaches the keys and values that the engine must reach."""
    for module in model.modules():
        kept = getattr(getattr(module, "_gradient_checkpointing_func", None), "keywords", {})
        if getattr(module, "gradient_checkpointing", False) and kept.get("use_reentrant", False):
            raise ConfigError("gradient checkpointing must be non-reentrant here: use_reentrant = false")

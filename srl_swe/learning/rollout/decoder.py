"""Sampling on plain transformers with a shared trunk: the rollout where there is no vLLM.

A tree's trunk is forwarded once; then the replies to all its prompts are decoded together, one token each per
forward, against views of the trunk's keys and values. Token ids in, token ids out.

    trees = [nest(prompts)]                                     # srl_swe.learning.tree
    replies = generate(model, trees, group_size=8, sampling=SamplingParams(max_new_tokens=256, stop_token_ids=(2,)))
    replies[tree][step][g].token_ids, .logps, .stopped
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..tree.layout import Row, RowBuilder
from ..tree.model import Logits, causal_lm, forward_tree, logits_of
from ..tree.planner import path_segments
from ..tree.store import TrunkStore
from ..tree.types import Tree
from .decoding import Cohort, DecodePass, OwnCache
from .sampling import DrawnReply, SamplingParams, draw, seed_of

TRUNK_AT_ONCE = frozenset({"cuda"})
"""Devices that a kernel's start costs more than masked work: all prompts of a trunk are read by one call there."""
COMPACTION = 0.75  # finished rows are dropped once fewer than this share of a batch's rows is unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One reply to be decoded: which tree, step and member of the group it is, and its number among all."""

    tree: int
    step: int
    member: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefilled:
    """A tree's prompts after their forward.

    logits: per step, of the token after its prompt, `[vocabulary]`; suffixes: per step, per layer, keys and values
    `[kv_heads, suffix, head_dim]`.
    """

    store: TrunkStore
    logits: dict[int, Tensor]
    suffixes: tuple[dict[int, tuple[Tensor, Tensor]], ...]


@torch.no_grad()
def generate(
    model: nn.Module,
    trees: Sequence[Tree],
    *,
    group_size: int,
    sampling: SamplingParams,
    max_tokens: int = 4096,
    max_cache_bytes: int = 2 * 2**30,
    keys: Sequence[Sequence[str]] = (),
) -> tuple[tuple[tuple[DrawnReply, ...], ...], ...]:
    """Sample `group_size` replies to every step of every tree: `result[tree][step][member]`.

    The model must be tree-capable (`prepare`). max_tokens bounds the rows of the trunk's forward; max_cache_bytes the
    keys and values of the replies decoded together (at least one reply). keys: a name for each step of each tree, on
    which its draws depend; their places when left out.
    """
    seats = [
        Seat(tree=t, step=k, member=g, number=0)
        for t, tree in enumerate(trees)
        for k in sorted(range(len(tree.steps)), key=lambda k: tree.steps[k].prompt_end)
        for g in range(group_size)
    ]
    seats = [replace(seat, number=number) for number, seat in enumerate(seats)]
    uniforms = _uniforms(seats, group_size, sampling, keys)
    found: dict[tuple[int, int, int], DrawnReply] = {}
    rows = _rows_at_once(model, trees, sampling, max_cache_bytes)
    held: dict[int, Prefilled] = {}
    with _evaluating(model):
        for at in range(0, len(seats), rows):
            wave = seats[at : at + rows]
            needed = {seat.tree for seat in wave}
            held = {t: held[t] if t in held else _prefill(model, trees[t], max_tokens) for t in sorted(needed)}
            for seat, reply in zip(wave, _decode(model, trees, held, wave, uniforms, sampling), strict=True):
                found[seat.tree, seat.step, seat.member] = reply
    return tuple(
        tuple(tuple(found[t, k, g] for g in range(group_size)) for k in range(len(tree.steps)))
        for t, tree in enumerate(trees)
    )


def _uniforms(
    seats: Sequence[Seat], group_size: int, sampling: SamplingParams, keys: Sequence[Sequence[str]]
) -> Tensor:
    """Each seat's draws in [0, 1), `[seats, max_new_tokens]`."""
    drawn = [torch.zeros(0, sampling.max_new_tokens, dtype=torch.float64)]
    for tree, step in dict.fromkeys((seat.tree, seat.step) for seat in seats):
        key = keys[tree][step] if keys else f"{tree}/{step}"
        source = torch.Generator().manual_seed(seed_of(sampling.seed, key))
        drawn.append(torch.rand(group_size, sampling.max_new_tokens, generator=source, dtype=torch.float64))
    return torch.cat(drawn)


def _rows_at_once(model: nn.Module, trees: Sequence[Tree], sampling: SamplingParams, max_cache_bytes: int) -> int:
    config = causal_lm(model).config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = next(causal_lm(model).parameters()).element_size()
    suffix = max((len(step.suffix) for tree in trees for step in tree.steps), default=0)
    columns = sampling.max_new_tokens + suffix
    row = columns * config.num_hidden_layers * heads * width * 2 * size + 16 * config.vocab_size
    return max(1, int(max_cache_bytes // row))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _prefill(model: nn.Module, tree: Tree, max_tokens: int) -> Prefilled:
    """Forward a tree's trunk in segments, then its suffixes."""
    length = max((step.prompt_end for step in tree.steps), default=0)
    store = TrunkStore(length=length)
    logits: dict[int, Tensor] = {}
    for row in path_segments(tree.trunk[:length], [], base=0, max_tokens=max_tokens):
        begin, end = row.positions[0], row.positions[-1] + 1
        steps = [k for k, step in enumerate(tree.steps) if begin < step.prompt_end <= end]
        found, captured = logits_of(model, row, store, [tree.steps[k].prompt_end - 1 - begin for k in steps])
        store.write(begin, captured)
        logits.update(zip(steps, found, strict=True))
    suffixes: list[dict[int, tuple[Tensor, Tensor]]] = [{} for _ in tree.steps]
    for k, step in enumerate(tree.steps):
        if step.suffix:
            found, captured = logits_of(model, _suffix_row(tree, k), store, [len(step.suffix) - 1])
            logits[k] = found[0]
            suffixes[k] = {layer: (keys[0], values[0]) for layer, (keys, values) in captured.items()}
    return Prefilled(store=store, logits=logits, suffixes=tuple(suffixes))


def _suffix_row(tree: Tree, k: int) -> Row:
    builder = RowBuilder()
    step = tree.steps[k]
    builder.add_path(step.suffix, first_position=step.prompt_end, context_end=step.prompt_end)
    return builder.row()


def _decode(
    model: nn.Module,
    trees: Sequence[Tree],
    held: dict[int, Prefilled],
    wave: Sequence[Seat],
    uniforms: Tensor,
    sampling: SamplingParams,
) -> list[DrawnReply]:
    """Decode the replies of one wave together."""
    batch = _Batch(model, trees, held, wave)
    tokens: list[list[int]] = [[] for _ in wave]
    logps: list[list[float]] = [[] for _ in wave]
    stopped = [False] * len(wave)
    stops = set(sampling.stop_token_ids)
    logits = batch.first_logits()
    for column in range(sampling.max_new_tokens):
        numbers = torch.tensor([wave[row].number for row in batch.rows])
        drawn, scores = draw(logits, uniforms[numbers, column], sampling)
        chosen = drawn.tolist()
        for row, token, logp in zip(batch.rows, chosen, scores.tolist(), strict=True):
            if not stopped[row]:
                tokens[row].append(token)
                logps[row].append(logp)
                stopped[row] = token in stops
        if column + 1 == sampling.max_new_tokens or all(stopped):
            break
        going = [place for place, row in enumerate(batch.rows) if not stopped[row]]
        if len(going) < COMPACTION * len(batch.rows):
            batch.keep(going)
            chosen = [chosen[place] for place in going]
        logits = batch.step(chosen)
    return [
        DrawnReply(token_ids=tuple(ids), logps=tuple(scores), stopped=ended)
        for ids, scores, ended in zip(tokens, logps, stopped, strict=True)
    ]


class _Batch:
    """Replies that are decoded together; `rows` are their places in the wave."""

    def __init__(
        self, model: nn.Module, trees: Sequence[Tree], held: dict[int, Prefilled], wave: Sequence[Seat]
    ) -> None:
        self._model, self._trees, self._held, self._wave = model, trees, held, wave
        self._device = next(causal_lm(model).parameters()).device
        self.rows = list(range(len(wave)))
        self._steps = [trees[seat.tree].steps[seat.step] for seat in wave]
        self._positions = [step.prompt_end + len(step.suffix) for step in self._steps]
        longest = max(len(step.suffix) for step in self._steps)
        begins = [longest - len(step.suffix) for step in self._steps]
        self._cache = OwnCache(begins=torch.tensor(begins, device=self._device), used=longest)
        if longest:
            self._put_suffixes(longest)
        self._cohorts = self._gathered()

    def first_logits(self) -> Tensor:
        """Logits of every reply's first token."""
        places: dict[tuple[int, int], int] = {}
        index = [places.setdefault((seat.tree, seat.step), len(places)) for seat in self._wave]
        logits = torch.stack([self._held[tree].logits[step] for tree, step in places])
        return logits[torch.tensor(index, device=self._device)]

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Forward one token per row; gives the logits of the next."""
        positions = [self._positions[row] for row in self.rows]
        tree = DecodePass(cohorts=self._cohorts, cache=self._cache, reach=max(positions) + 1)
        found: Logits = forward_tree(self._model, list(tokens), positions, tree, self._device)
        self._cache.used += 1
        for row in self.rows:
            self._positions[row] += 1
        assert found.logits is not None
        return found.logits

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some rows only."""
        self._cache.keep(torch.tensor(places, device=self._device))
        self.rows = [self.rows[place] for place in places]
        self._cohorts = self._gathered()

    def _gathered(self) -> tuple[Cohort, ...]:
        cohorts: list[Cohort] = []
        together = self._device.type in TRUNK_AT_ONCE
        for place, row in enumerate(self.rows):
            store, end = self._held[self._wave[row].tree].store, self._steps[row].prompt_end
            last = cohorts[-1] if cohorts else None
            if last is not None and last.store is store and (together or last.prompt_end == end):
                cohorts[-1] = replace(last, prompt_end=max(last.prompt_end, end), end=place + 1)
            else:
                cohorts.append(Cohort(store=store, prompt_end=end, start=place, end=place + 1))
        return tuple(self._masked(cohort) for cohort in cohorts)

    def _masked(self, cohort: Cohort) -> Cohort:
        """The cohort with what its shorter prompts must not see."""
        ends = torch.tensor([self._steps[row].prompt_end for row in self.rows[cohort.start : cohort.end]])
        if bool((ends == cohort.prompt_end).all()):
            return cohort
        hidden = torch.arange(cohort.prompt_end) >= ends[:, None]
        return replace(cohort, hidden=hidden.to(self._device))

    def _put_suffixes(self, longest: int) -> None:
        """Right-align each row's suffix keys and values in the first `longest` columns."""
        held = [self._held[seat.tree].suffixes[seat.step] for seat in self._wave]
        layers = next(found for found in held if found)
        for layer, (keys, values) in layers.items():
            columns = []
            for part, like in enumerate((keys, values)):
                made = like.new_zeros(len(held), like.shape[0], longest, like.shape[2])
                for row, found in enumerate(held):
                    if found:
                        made[row, :, longest - found[layer][part].shape[1] :] = found[layer][part]
                columns.append(made)
            self._cache.layers[layer] = columns[0], columns[1]

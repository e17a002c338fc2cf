"""The schemes that `benchmarks/tree.py` compares: each one forwards and backpropagates the same replies' loss."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from srl_swe.learning.tree import (
    Branch,
    LossConfig,
    Normaliser,
    Step,
    Tree,
    loss_backward,
    prepare,
)

LOSS = LossConfig(clip_low=0.2, clip_high=0.28)
ONE_ROW = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A trajectory (trunk tokens, steps, replies a step, mean tokens a reply), a model, and where it runs.

    head_dim: 0 is hidden / heads; intermediate: 0 is three times hidden.
    """

    trunk: int = 4000
    steps: int = 25
    group: int = 8
    reply: int = 60
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 0
    intermediate: int = 0
    vocabulary: int = 4096
    device: str = "cpu"
    dtype: str = "float32"
    backend: str = "auto"
    segment: int = 512
    sampled: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a scheme runs: parts (each a forward and backward), and how many times the measured parts make up all.

    tokens, pairs: what the whole scheme forwards, and attends.
    """

    parts: tuple[Callable[[], None], ...]
    scale: float
    tokens: int
    pairs: int


def make_model(shape: Shape) -> nn.Module:
    """A Qwen3 of the shape with seeded random weights, tree-capable."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate or 3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim or shape.hidden // shape.heads,
        max_position_embeddings=max(32768, 2 * shape.trunk),
        tie_word_embeddings=False,
    )
    with torch.device(shape.device):
        model: nn.Module = Qwen3ForCausalLM(config).to(getattr(torch, shape.dtype)).train()
    prepare(model, backend=shape.backend)
    return model


def make_tree(shape: Shape) -> Tree:
    """Random tokens; prompts end evenly along the trunk; replies of half to one and a half times the mean length."""
    draw = random.Random(1)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(shape.vocabulary) for _ in range(count))

    steps = tuple(Step(prompt_end=shape.trunk * (k + 1) // shape.steps) for k in range(shape.steps))
    branches = tuple(
        Branch(step=k, token_ids=ids(draw.randint(shape.reply // 2, 3 * shape.reply // 2)), advantage=draw.gauss(0, 1))
        for k in range(shape.steps)
        for _ in range(shape.group)
    )
    return Tree(trunk=ids(shape.trunk), steps=steps, branches=branches)


def scheme(name: str, shape: Shape, model: nn.Module, tree: Tree) -> Work:
    """The work of a scheme by its name (see `SCHEMES`)."""
    return SCHEMES[name](shape, model, tree)


def _rows(model: nn.Module, tree: Tree, step: int, *, padded: bool) -> Callable[[], None]:
    """One micro-batch: the replies to one step, as trl pads them (to the batch's longest) or trimmed to their own."""
    count = Normaliser.of([tree]).replies
    members = [branch for branch in tree.branches if branch.step == step]
    prompt = tree.prompt(step)
    width = max(s.prompt_end for s in tree.steps) if padded else len(prompt)
    columns = max(len(b.token_ids) for b in (tree.branches if padded else members))
    device = next(model.parameters()).device
    ids = torch.zeros(len(members), width + columns, dtype=torch.long)
    mask = torch.zeros_like(ids)
    ids[:, width - len(prompt) : width] = torch.tensor(prompt)
    mask[:, width - len(prompt) : width] = 1
    for row, branch in enumerate(members):
        ids[row, width : width + len(branch.token_ids)] = torch.tensor(branch.token_ids)
        mask[row, width : width + len(branch.token_ids)] = 1
    advantage = torch.tensor([b.advantage for b in members], device=device)[:, None]
    ids, mask = ids.to(device), mask.to(device)
    trained = mask[:, width:]

    def run() -> None:
        found = model(input_ids=ids, attention_mask=mask, logits_to_keep=columns + 1, use_cache=False)
        logits = found.logits[:, :-1].float()
        logps = logits.gather(-1, ids[:, width:, None])[..., 0] - logits.logsumexp(-1)
        _grpo(logps, advantage, trained, count).backward()

    return run


def _grpo(logps: Tensor, advantage: Tensor, trained: Tensor, replies: float) -> Tensor:
    ratio = torch.exp(logps - logps.detach())
    clipped = ratio.clamp(1 - LOSS.clip_low, 1 + LOSS.clip_high)
    per_token = -torch.minimum(ratio * advantage, clipped * advantage) * trained
    return (per_token.sum(-1) / trained.sum(-1)).sum() / replies


def _separate(shape: Shape, model: nn.Module, tree: Tree, *, padded: bool) -> Work:
    lengths = [len(branch.token_ids) for branch in tree.branches]
    prompts = [tree.steps[branch.step].prompt_end for branch in tree.branches]
    if padded:
        sizes = [max(prompts) + max(lengths)] * len(prompts)
    else:
        longest: dict[int, int] = {}
        for branch in tree.branches:
            longest[branch.step] = max(longest.get(branch.step, 0), len(branch.token_ids))
        sizes = [p + longest[b.step] for p, b in zip(prompts, tree.branches, strict=True)]
    # Padded micro-batches are all of one size: one stands for all. Trimmed ones grow evenly: the middles of
    # equally many are taken.
    sampled = min(shape.sampled, shape.steps)
    chosen = [shape.steps // 2] if padded and sampled < shape.steps else middles(shape.steps, sampled)
    return Work(
        parts=tuple(_rows(model, tree, step, padded=padded) for step in chosen),
        scale=shape.steps / len(chosen),
        tokens=sum(sizes),
        pairs=sum(size * (size + 1) // 2 for size in sizes),
    )


def middles(steps: int, sampled: int) -> list[int]:
    """The middle steps of `sampled` equal ranges of the steps."""
    return [(2 * i + 1) * steps // (2 * sampled) for i in range(sampled)]


def _learn(model: nn.Module, trees: Sequence[Tree], normaliser: Normaliser, max_tokens: int) -> Callable[[], None]:
    def run() -> None:
        loss_backward(model, trees, loss=LOSS, normaliser=normaliser, max_tokens=max_tokens)

    return run


def _group(shape: Shape, model: nn.Module, tree: Tree) -> Work:
    """One tree per step: the prompt is shared by its replies only."""
    trees = []
    for k, step in enumerate(tree.steps):
        members = tuple(replace(b, step=0) for b in tree.branches if b.step == k)
        trees.append(Tree(trunk=tree.trunk[: step.prompt_end], steps=(step,), branches=members))
    parts = tuple(_learn(model, [one], Normaliser.of([tree]), ONE_ROW) for one in trees)
    return _counted(parts, trees)


def _tree(shape: Shape, model: nn.Module, tree: Tree) -> Work:
    return _counted((_learn(model, [tree], Normaliser.of([tree]), ONE_ROW),), [tree])


def _two_pass(shape: Shape, model: nn.Module, tree: Tree) -> Work:
    return _counted((_learn(model, [tree], Normaliser.of([tree]), shape.segment),), [tree])


def _two_pass_wide(shape: Shape, model: nn.Module, tree: Tree) -> Work:
    return _counted((_learn(model, [tree], Normaliser.of([tree]), 4 * shape.segment),), [tree])


def _counted(parts: tuple[Callable[[], None], ...], trees: Sequence[Tree]) -> Work:
    from srl_swe.learning.tree import cost

    costs = [cost(tree) for tree in trees]
    return Work(parts=parts, scale=1.0, tokens=sum(c.tokens for c in costs), pairs=sum(c.pairs for c in costs))


SCHEMES: dict[str, Callable[[Shape, nn.Module, Tree], Work]] = {
    "padded": lambda shape, model, tree: _separate(shape, model, tree, padded=True),
    "trimmed": lambda shape, model, tree: _separate(shape, model, tree, padded=False),
    "group": _group,
    "tree": _tree,
    "two_pass": _two_pass,
    "two_pass_wide": _two_pass_wide,
}

"""Tiny models made on the spot, trees to train them on, and the reference: one row per reply."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from srl_swe.learning.tree.loss import LossConfig, Normaliser
from srl_swe.learning.tree.types import Branch, Step, Tree

VOCABULARY = 97
_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
KINDS = ("qwen2", "qwen3", "llama")


def make_model(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0, *, head_dim: int = 8) -> nn.Module:
    """A model of the shape above; only Qwen3 takes another head size."""
    torch.manual_seed(seed)
    made: nn.Module
    if kind == "qwen2":
        made = Qwen2ForCausalLM(Qwen2Config(**_SHAPE))
    elif kind == "qwen3":
        made = Qwen3ForCausalLM(Qwen3Config(**_SHAPE, head_dim=head_dim, tie_word_embeddings=True))
    else:
        made = LlamaForCausalLM(LlamaConfig(**_SHAPE))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4.0 if parameter.dim() > 1 else 1.0)  # make attention far from uniform
    return made.to(dtype)


@contextmanager
def wide_norms() -> Iterator[None]:
    """transformers' RMSNorm computes in float32 whatever its input; compute in the input's type instead."""

    def forward(self: nn.Module, hidden_states: Tensor) -> Tensor:
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))

    kinds = (Qwen2RMSNorm, Qwen3RMSNorm, LlamaRMSNorm)
    kept = [kind.forward for kind in kinds]
    for kind in kinds:
        kind.forward = forward
    try:
        yield
    finally:
        for kind, was in zip(kinds, kept, strict=True):
            kind.forward = was


def make_tree(
    *,
    trunk: int = 90,
    ends: tuple[int, ...] = (1, 40, 41, 90),
    group: int = 3,
    suffix: int = 0,
    seed: int = 1,
    sampler: bool = True,
    masked: bool = False,
    spans: tuple[tuple[int, int], ...] = (),
    longest: int = 12,
) -> Tree:
    """A tree with one-token replies, repeated and adjacent prompts' ends, and one that ends at the trunk's."""
    draw = torch.Generator().manual_seed(seed)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, VOCABULARY, (count,), generator=draw).tolist())

    steps = tuple(Step(prompt_end=end, suffix=ids(suffix if k % 2 == 0 else 0)) for k, end in enumerate(ends))
    branches = []
    for k in range(len(ends)):
        for g in range(group):
            length = 1 if g == 0 else int(torch.randint(2, longest + 1, (), generator=draw))
            advantage = float(torch.randn((), generator=draw))
            logps = tuple((-4.6 + 0.4 * torch.randn(length, generator=draw)).tolist()) if sampler and g != 1 else None
            trained = tuple(i % 3 != 1 for i in range(length)) if masked else None
            branches.append(
                Branch(step=k, token_ids=ids(length), advantage=advantage, sampler_logps=logps, trained=trained)
            )
    return Tree(trunk=ids(trunk), steps=steps, branches=tuple(branches), expert_spans=spans)


def make_episodes(*, opening: int = 30, group: int = 3, by_turn: bool = True, seed: int = 1) -> Tree:
    """A group of episodes of one opening: replies that earn an advantage each, observations between them."""
    draw = torch.Generator().manual_seed(seed)

    def count(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=draw))

    def ids(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, VOCABULARY, (length,), generator=draw).tolist())

    branches = []
    for _ in range(group):
        trained: list[bool] = []
        advantages: list[float] = []
        for _ in range(count(2, 5)):
            reply, observation = count(1, 9), count(3, 20)
            trained += [True] * reply + [False] * observation
            advantages += [float(torch.randn((), generator=draw))] * reply + [0.0] * observation
        logps = [-4.6 + 0.4 * float(torch.randn((), generator=draw)) if mine else math.nan for mine in trained]
        branches.append(
            Branch(
                step=0,
                token_ids=ids(len(trained)),
                advantage=advantages[0],
                advantages=tuple(advantages) if by_turn else None,
                sampler_logps=tuple(logps),
                trained=tuple(trained),
            )
        )
    return Tree(trunk=ids(opening), steps=(Step(prompt_end=opening),), branches=tuple(branches))


def separate_rows(model: nn.Module, tree: Tree, temperature: float = 1.0) -> tuple[list[Tensor], Tensor]:
    """Log-probabilities by one plain forward per reply, and one of the whole trunk for the expert's tokens."""
    found = []
    for branch in tree.branches:
        prompt = tree.prompt(branch.step)
        found.append(_row_logps(model, prompt + branch.token_ids, temperature)[len(prompt) - 1 :])
    return found, _row_logps(model, tree.trunk, temperature)


def _row_logps(model: nn.Module, ids: tuple[int, ...], temperature: float) -> Tensor:
    tokens = torch.tensor(ids, device=next(model.parameters()).device)[None]
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1] / temperature
    return logits.log_softmax(-1).gather(-1, tokens[0, 1:, None])[:, 0]


def separate_loss(model: nn.Module, trees: list[Tree], config: LossConfig, temperature: float = 1.0) -> Tensor:
    """The loss written out reply by reply, independent of the engine's term by term form."""
    normaliser = Normaliser.of(trees)
    total = torch.zeros(())
    for tree in trees:
        logps, expert = separate_rows(model, tree, temperature)
        for branch, logp in zip(tree.branches, logps, strict=True):
            kept = torch.tensor(branch.trained_offsets, dtype=torch.long)
            if not len(kept):
                continue
            new = logp[kept]
            old = (
                new.detach()
                if branch.sampler_logps is None
                else torch.tensor(branch.sampler_logps, dtype=new.dtype, device=new.device)[kept]
            )
            ratio = (new - old).exp()
            clipped = ratio.clamp(1 - config.clip_low, 1 + config.clip_high)
            gain = torch.tensor([branch.advantage_at(i) for i in branch.trained_offsets]).to(new)
            surrogate = torch.min(ratio * gain, clipped * gain)
            if config.aggregation == "response":
                total = total - surrogate.mean() / normaliser.replies
            else:
                total = total - surrogate.sum() / normaliser.tokens
        for begin, end in tree.expert_spans:
            total = total - config.expert_weight * expert[begin - 1 : end - 1].sum() / normaliser.expert_tokens
    return total


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Gradients by parameter name; clears them."""
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def relative_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The worst parameter's relative L2 distance."""
    assert found.keys() == expected.keys()
    return max(
        float((found[n].double() - g.double()).norm() / g.double().norm().clamp(min=1e-30)) for n, g in expected.items()
    )


def relative_norm(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The relative L2 distance of all parameters together."""
    distance = sum(float((found[n].float() - g).square().sum()) for n, g in expected.items())
    return (distance / sum(float(g.square().sum()) for g in expected.values())) ** 0.5


def without_branches(tree: Tree) -> Tree:
    return replace(tree, branches=())

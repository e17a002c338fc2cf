"""How tokens are drawn, and what a sampled reply is."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How replies are drawn.

    stop_token_ids: a reply ends with the first of them, which it contains. seed: the same seed, key of a prompt and
    group size give the same draws, whatever is decoded beside it.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    greedy: bool = False
    stop_token_ids: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; use greedy=True for the most likely tokens")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be in (0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnReply:
    """Token ids of a reply, the log-probability of each, and whether a stop token ended it.

    logps are those of the whole distribution at the temperature, which is what the trainer computes; with top_p < 1
    tokens were drawn from its head only.
    """

    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    stopped: bool


def seed_of(*parts: object, bits: int = 62) -> int:
    """A seed that depends on all parts, the same in every process."""
    return random.Random("/".join(map(str, parts))).getrandbits(bits)


def draw(logits: Tensor, uniforms: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """One token per row and its log-probability, by inverting the distribution at `uniforms`.

    logits `[rows, vocabulary]`, uniforms `[rows]` in [0, 1); gives token ids and log-probabilities, `[rows]`.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / params.temperature
    logps = logits.log_softmax(-1)
    if params.greedy:
        tokens = logits.argmax(-1)
    else:
        weights = logps.double().exp()
        if params.top_p < 1:
            weights = _head_of(weights, params.top_p)
        sums = weights.cumsum(-1)
        wanted = uniforms.to(sums)[:, None] * sums[:, -1:] * (1 - 1e-12)
        tokens = torch.searchsorted(sums, wanted, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
    return tokens, logps.gather(-1, tokens[:, None])[:, 0]


def _head_of(weights: Tensor, top_p: float) -> Tensor:
    """Weights of the smallest set of most likely tokens whose sum reaches top_p; zero elsewhere."""
    ordered, places = weights.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < top_p, ordered, 0.0)
    return torch.zeros_like(weights).scatter(-1, places, kept)

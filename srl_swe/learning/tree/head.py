"""Log-probabilities at loss terms only: hidden states are gathered first, then scored in chunks.

A prompt token that nothing is trained on never meets the output matrix, and logits of at most `MAX_LOGIT_BYTES`
exist at once: with more terms, each chunk's are computed again in the backward.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

MAX_LOGIT_BYTES = 256 * 2**20


def score(
    hidden: Tensor,
    head: Callable[[Tensor], Tensor],
    targets: Tensor,
    *,
    temperature: float,
    vocabulary: int,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy of its distribution at `temperature`.

    hidden `[M, width]`, targets `[M]`; both results `[M]`, float32 or the model's type if wider. The entropy has no
    gradient.
    """
    rows = max(1, MAX_LOGIT_BYTES // (4 * vocabulary))
    if targets.numel() <= rows:
        return _score(hidden, head, targets, temperature)
    scored: list[tuple[Tensor, Tensor]] = []
    for some, wanted in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True):
        if torch.is_grad_enabled():
            scored.append(checkpoint(_score, some, head, wanted, temperature, use_reentrant=False))
        else:
            scored.append(_score(some, head, wanted, temperature))
    logps, entropies = zip(*scored, strict=True)
    return torch.cat(logps), torch.cat(entropies)


def _score(
    hidden: Tensor, head: Callable[[Tensor], Tensor], targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    logits = head(hidden)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    total = logits.logsumexp(-1)
    logps = logits.gather(-1, targets[:, None])[:, 0] - total
    with torch.no_grad():
        entropies = total - (torch.exp(logits - total[:, None]) * logits).sum(-1)
    return logps, entropies

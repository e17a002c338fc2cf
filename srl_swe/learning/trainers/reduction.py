"""Sums over ranks. Whole trajectories live on one rank, so only counts and gradients ever travel."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ..tree.loss import Normaliser


def all_reduce_normaliser(mine: Normaliser, accelerator: Any) -> Normaliser:
    """The divisors of the whole batch from this rank's share."""
    if accelerator.num_processes == 1:
        return mine
    counts = torch.tensor(
        [mine.replies, mine.tokens, mine.expert_tokens], dtype=torch.float64, device=accelerator.device
    )
    dist.all_reduce(counts)
    replies, tokens, expert_tokens = counts.tolist()
    return Normaliser(replies=replies, tokens=tokens, expert_tokens=expert_tokens)


def all_reduce_gradients(model: nn.Module, accelerator: Any) -> None:
    """Sum gradients over ranks that hold whole replicas of the model.

    The loss is normalised by the whole batch already, hence a sum and no mean. A parameter without a gradient on this
    rank counts as zero, so that every rank takes part in every reduction.
    """
    if accelerator.num_processes == 1:
        return
    for parameter in model.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

"""Trajectory trees: one forward for a trunk and every reply that leaves it, with exact gradients.

`engine` shows the use. Pure torch and transformers; it knows token ids only.
"""

from .engine import TreeLogps, logprobs, loss_backward
from .loss import LossConfig, LossSums, Normaliser
from .model import prepare
from .planner import balance, cost, drop_still, runs, separate_cost
from .types import Branch, Step, Tree, nest, separate

__all__ = [
    "Branch",
    "LossConfig",
    "LossSums",
    "Normaliser",
    "Step",
    "Tree",
    "TreeLogps",
    "balance",
    "cost",
    "drop_still",
    "logprobs",
    "loss_backward",
    "nest",
    "prepare",
    "runs",
    "separate",
    "separate_cost",
]

"""Rewards: how a reply's action is scored against the expert's."""

from .characters import Characters
from .named import SCORERS, scorer_named
from .score import CHARACTERS, MALFORMED_VALUE, StepReward, score, score_replies
from .scorer import Scorer, Target
from .similarity import (
    MatchingBlock,
    kernel_name,
    matching_blocks,
    similarity,
    similarity_batch,
    token_similarity,
    token_similarity_batch,
)

__all__ = [
    "CHARACTERS",
    "MALFORMED_VALUE",
    "SCORERS",
    "Characters",
    "MatchingBlock",
    "Scorer",
    "StepReward",
    "Target",
    "kernel_name",
    "matching_blocks",
    "score",
    "score_replies",
    "scorer_named",
    "similarity",
    "similarity_batch",
    "token_similarity",
    "token_similarity_batch",
]

"""Rewards: how a reply's action is scored against the expert's."""

from .similarity import MatchingBlock, kernel_name, matching_blocks, similarity, similarity_batch

__all__ = ["MatchingBlock", "kernel_name", "matching_blocks", "similarity", "similarity_batch"]

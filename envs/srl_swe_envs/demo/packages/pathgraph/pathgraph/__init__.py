"""Directed graphs with weights, and searches in them."""

from pathgraph.graph import Graph
from pathgraph.search import components, has_cycle, hops, shortest_path, topological_order

__all__ = ["Graph", "components", "has_cycle", "hops", "shortest_path", "topological_order"]

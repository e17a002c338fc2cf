"""Searches: hops, shortest paths, order and components."""

import heapq
from collections import deque

from pathgraph.graph import Graph


def hops(graph: Graph, start: str) -> dict[str, int]:
    """Smallest number of edges from ``start`` to every node that can be reached."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for end in graph.neighbours(node):
            if end not in found:
                found[end] = found[node] + 1
                queue.append(end)
    return found


def shortest_path(graph: Graph, start: str, goal: str) -> tuple[int, list[str]] | None:
    """Smallest total weight and its path, or None when there is no way."""
    queue = [(0, [start])]
    done = set()
    while queue:
        cost, path = heapq.heappop(queue)
        node = path[-1]
        if node == goal:
            return cost, path
        if node in done:
            continue
        done.add(node)
        for end in graph.neighbours(node):
            if end not in done:
                heapq.heappush(queue, (cost + graph.weight(node, end), [*path, end]))
    return None


def topological_order(graph: Graph) -> list[str]:
    """Nodes such that every edge leads forward, alphabetical where there is a choice."""
    waiting = {node: graph.degree(node)[0] for node in graph.nodes()}
    ready = [node for node in graph.nodes() if waiting[node] == 0]
    order = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for end in graph.neighbours(node):
            waiting[end] -= 1
            if waiting[end] == 0:
                heapq.heappush(ready, end)
    if len(order) < len(waiting):
        raise ValueError("graph has a cycle")
    return order


def has_cycle(graph: Graph) -> bool:
    """Whether some path leads back to its start."""
    try:
        topological_order(graph)
    except ValueError:
        return True
    return False


def components(graph: Graph) -> list[list[str]]:
    """Groups of nodes that hang together when directions are ignored."""
    backward = graph.reversed()
    seen = set()
    groups = []
    for first in graph.nodes():
        if first in seen:
            continue
        group, stack = [], [first]
        seen.add(first)
        while stack:
            node = stack.pop()
            group.append(node)
            for end in graph.neighbours(node) + backward.neighbours(node):
                if end not in seen:
                    seen.add(end)
                    stack.append(end)
        groups.append(sorted(group))
    return groups

"""The graph itself."""

from collections.abc import Iterable


class Graph:
    """Nodes are strings; an edge has a weight that is not negative."""

    def __init__(self, edges: Iterable[tuple[str, str, int]] = ()) -> None:
        self.edges: dict[str, dict[str, int]] = {}
        for start, end, weight in edges:
            self.connect(start, end, weight)

    def add(self, node: str) -> None:
        """Make sure that the node exists."""
        self.edges.setdefault(node, {})

    def connect(self, start: str, end: str, weight: int = 1) -> None:
        """Add an edge; a second one between the same nodes keeps the lighter weight."""
        if weight < 0:
            raise ValueError("weight is negative")
        self.add(start)
        self.add(end)
        known = self.edges[start].get(end, weight)
        self.edges[start][end] = min(known, weight)

    def nodes(self) -> list[str]:
        """All nodes in alphabetical order."""
        return sorted(self.edges)

    def neighbours(self, node: str) -> list[str]:
        """Ends of the edges that leave ``node``, in alphabetical order."""
        if node not in self.edges:
            raise KeyError(node)
        return sorted(self.edges[node])

    def weight(self, start: str, end: str) -> int:
        """Weight of one edge."""
        return self.edges[start][end]

    def degree(self, node: str) -> tuple[int, int]:
        """Number of edges that arrive and that leave."""
        arriving = sum(1 for ends in self.edges.values() if node in ends)
        return arriving, len(self.edges[node])

    def reversed(self) -> "Graph":
        """The same graph with every edge turned around."""
        turned = Graph()
        for start in self.nodes():
            turned.add(start)
            for end in self.neighbours(start):
                turned.connect(end, start, self.weight(start, end))
        return turned

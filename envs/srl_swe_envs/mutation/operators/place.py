"""What an operator is given, and what it gives back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..source import Edit, Scope, SourceFile, own_nodes

Change: TypeAlias = tuple[int, Edit]
"""Line of the changed node and the edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One function in its file."""

    source: SourceFile
    scope: Scope

    def nodes(self) -> Iterator[ast.AST]:
        """Nodes that may be changed, in order."""
        return own_nodes(self.scope.function)

    def replace(self, node: ast.expr | ast.stmt, new: str) -> Change:
        """Put `new` in a node's place."""
        start, end = self.source.span(node)
        return node.lineno, Edit(start=start, end=end, new=new)

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Change | None:
        """Change the operator `old` that stands between two operands; None when it is not found."""
        start, end = self.source.span(left)[1], self.source.span(right)[0]
        at = self.source.text.find(old, start, end)
        if at < 0:
            return None
        return left.lineno, Edit(start=at, end=at + len(old), new=new)

"""One Python source file whose syntax tree is tied to character offsets, and edits of single spans.

Mutants are made by replacing one span of the text. Nothing is unparsed, so the rest of the file (comments, blank
lines, quotes) stays as it was and a mutant differs from its original in the bug alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

Located: TypeAlias = ast.expr | ast.stmt | ast.arg | ast.keyword
FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace the characters `start:end` of a text by `new`; offsets count characters, not bytes."""

    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        """The edited text."""
        return text[: self.start] + self.new + text[self.end :]


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of the repository; `path` is relative to its root and has forward slashes."""

    path: str
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        """Parse the text; SyntaxError when it is no Python."""
        object.__setattr__(self, "tree", ast.parse(self.text))

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for line in self._lines:
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def _lines(self) -> list[str]:
        # not splitlines(): Python's own lines end only at \n (\r\n), form feeds do not count
        return self.text.splitlines(keepends=True) if "\f" not in self.text else self.text.split("\n")

    def offset(self, line: int, byte_column: int) -> int:
        """Character offset of an ast position (line from 1, column in UTF-8 bytes)."""
        text = self._lines[line - 1]
        return self._line_starts[line - 1] + len(text.encode()[:byte_column].decode())

    def span(self, node: Located) -> tuple[int, int]:
        """Start and end offset of a node."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: Located) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, line: int) -> int:
        """Offset of the first character of a line, counted from 1; one past the last line is the end."""
        return self._line_starts[min(line - 1, len(self._lines))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A function with its dotted name and the names that are bound in it."""

    function: FunctionNode
    name: str
    bound: tuple[tuple[str, int], ...]
    """Local names and the line on which each is bound first; those of comprehensions are left out."""


def scopes(source: SourceFile) -> Iterator[Scope]:
    """All functions and methods of a file that are not nested in another function, in order."""
    stack: list[tuple[ast.AST, str]] = [(source.tree, "")]
    while stack:
        node, prefix = stack.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                stack.append((child, f"{prefix}{child.name}."))
            elif isinstance(child, FunctionNode):
                yield Scope(function=child, name=prefix + child.name, bound=_bound_names(child))


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Nodes of a function's body that a mutation may touch.

    Left out: docstrings, annotations, decorators, the messages of raised errors, and everything in f-strings (before
    Python 3.12 their nodes have no true positions).
    """
    stack: list[ast.AST] = [*function.args.defaults, *(d for d in function.args.kw_defaults if d), *function.body]
    while stack:
        node = stack.pop(0)
        if isinstance(node, ast.JoinedStr | ast.Raise | ast.Global | ast.Nonlocal):
            if isinstance(node, ast.Raise):
                yield node
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.AnnAssign):
            children.remove(node.annotation)
        if isinstance(node, FunctionNode):
            children = [*node.args.defaults, *node.body]
        stack[:0] = children


def _bound_names(function: FunctionNode) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        found.setdefault(argument.arg, function.lineno)
    loops = (part for part in ast.walk(function) if isinstance(part, ast.comprehension))
    inner = {id(name) for loop in loops for name in ast.walk(loop.target)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in inner:
            found[node.id] = min(found.get(node.id, node.lineno), node.lineno)
    return tuple((name, line) for name, line in found.items() if name not in ("self", "cls", "_"))

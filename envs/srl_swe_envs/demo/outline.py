"""The functions of a demo package: where they stand and which of them use which others."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..mutation.source import SourceFile, scopes

_BY_BUILTIN: Mapping[str, str] = {"len": "__len__", "list": "__iter__", "iter": "__iter__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function or method with the lines to read for it."""

    path: str
    name: str
    """Dotted, e.g. `Heap.push`."""
    first_line: int
    last_line: int
    """-1 for the end of the file."""
    uses: frozenset[str]
    """Names that occur in its body."""

    @property
    def short_name(self) -> str:
        """The name after the last dot."""
        return self.name.rpartition(".")[2]

    @property
    def owner(self) -> str:
        """The class of a method, else empty."""
        return self.name.rpartition(".")[0]


def functions_of(files: Iterable[tuple[str, str]]) -> tuple[Function, ...]:
    """All functions of the Python files given as (path, text), in order; tests are left out."""
    found: list[Function] = []
    for path, text in files:
        if path.endswith(".py") and not path.startswith("tests/"):
            found += _functions(SourceFile(path=path, text=text))
    return tuple(found)


def named(functions: Iterable[Function], name: str) -> tuple[Function, ...]:
    """Functions that a call of `name` may mean: by their own name, a class's constructor, or a built-in's method."""
    wanted = _BY_BUILTIN.get(name, name)
    makers = ("__init__", "__post_init__")
    return tuple(
        function
        for function in functions
        if function.short_name == wanted or (function.owner == name and function.short_name in makers)
    )


def way_to(functions: tuple[Function, ...], start: Function, goal: Function) -> tuple[Function, ...]:
    """The shortest chain of functions from `start` to `goal`, each used by the one before; empty when there is none."""
    ways: dict[Function, tuple[Function, ...]] = {start: (start,)}
    queue = deque([start])
    while queue:
        function = queue.popleft()
        if function == goal:
            return ways[function]
        for name in sorted(function.uses):
            for used in named(functions, name):
                if used not in ways:
                    ways[used] = (*ways[function], used)
                    queue.append(used)
    return ()


def _functions(source: SourceFile) -> list[Function]:
    starts = sorted(
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    found = []
    for scope in scopes(source):
        node = scope.function
        end = node.end_lineno or node.lineno
        following = [line for line in starts if line > end]
        used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        used |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        function = Function(
            path=source.path,
            name=scope.name,
            first_line=node.lineno,
            last_line=following[0] - 1 if following else -1,
            uses=frozenset(used),
        )
        found.append(function)
    return sorted(found, key=lambda function: function.first_line)

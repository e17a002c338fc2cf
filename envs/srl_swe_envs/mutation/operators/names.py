"""Operators on names: wrong variable, swapped arguments, wrong method or attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..source import Edit
from .place import Change, Place

_METHODS: Mapping[str, str] = {
    "append": "extend",
    "extend": "append",
    "startswith": "endswith",
    "endswith": "startswith",
    "upper": "lower",
    "lower": "upper",
    "strip": "lstrip",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
    "ljust": "rjust",
    "rjust": "ljust",
    "partition": "rpartition",
    "find": "rfind",
    "isdigit": "isalpha",
    "isalpha": "isdigit",
    "isalnum": "isalpha",
    "popleft": "pop",
    "keys": "values",
    "values": "keys",
    "add": "discard",
}
_FUNCTIONS: Mapping[str, str] = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "sum": "len"}


def variable(place: Place) -> Iterator[Change]:
    """Another local name that was bound before this line."""
    own = dict(place.scope.bound)
    called = {node.func for node in place.nodes() if isinstance(node, ast.Call)}
    for node in place.nodes():
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node in called:
            continue
        if node.id not in own:
            continue
        others = sorted(name for name, line in own.items() if name != node.id and line < node.lineno)
        for other in others[:2]:
            yield place.replace(node, other)


def arguments(place: Place) -> Iterator[Change]:
    """The first two arguments of a call exchanged."""
    for node in place.nodes():
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        first, second = node.args[:2]
        if isinstance(first, ast.Starred) or isinstance(second, ast.Starred):
            continue
        swapped = _swapped(place, first, second)
        if swapped is not None:
            yield swapped
    for node in place.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.FloorDiv | ast.Mod | ast.Div):
            swapped = _swapped(place, node.left, node.right)
            if swapped is not None:
                yield swapped


def _swapped(place: Place, first: ast.expr, second: ast.expr) -> Change | None:
    """Exchange the texts of two neighbours; compound ones would need brackets and are left alone."""
    if not all(isinstance(part, ast.Name | ast.Constant | ast.Attribute | ast.Call) for part in (first, second)):
        return None
    source = place.source
    start, middle = source.span(first)
    later, end = source.span(second)
    text = source.text[later:end] + source.text[middle:later] + source.text[start:middle]
    if text == source.text[start:end]:
        return None
    return first.lineno, Edit(start=start, end=end, new=text)


def method(place: Place) -> Iterator[Change]:
    """A related method or built-in function."""
    for node in place.nodes():
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            owner = place.source.segment(node.func.value)
            yield place.replace(node.func, f"{owner}.{_METHODS[node.func.attr]}")
        elif isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            yield place.replace(node.func, _FUNCTIONS[node.func.id])


def attribute(place: Place) -> Iterator[Change]:
    """Another attribute that the function reads from the same object."""
    seen: dict[str, list[str]] = {}
    reads = []
    called = {node.func for node in place.nodes() if isinstance(node, ast.Call)}
    for node in place.nodes():
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node not in called:
            owner = place.source.segment(node.value)
            reads.append((node, owner))
            if node.attr not in seen.setdefault(owner, []):
                seen[owner].append(node.attr)
    for node, owner in reads:
        for other in seen[owner]:
            if other != node.attr:
                yield place.replace(node, f"{owner}.{other}")
                break

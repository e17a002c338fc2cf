"""Operators on statements: dropped branches and lines, wrong jumps, missing returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..source import Edit
from .place import Change, Place

_AUGMENTED: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+=", "-="),
    ast.Sub: ("-=", "+="),
    ast.Mult: ("*=", "+="),
    ast.FloorDiv: ("//=", "-="),
}


def augmented_assignment(place: Place) -> Iterator[Change]:
    """`-=` for `+=`, or `=` for `+=`."""
    for node in place.nodes():
        if not isinstance(node, ast.AugAssign) or type(node.op) not in _AUGMENTED:
            continue
        old, new = _AUGMENTED[type(node.op)]
        for other in (new, "="):
            change = place.between(node.target, node.value, old, other)
            if change is not None:
                yield change


def branch(place: Place) -> Iterator[Change]:
    """An `if` with its body left out, where other statements follow or precede it."""
    for block in _blocks(place):
        for node in block:
            if isinstance(node, ast.If) and not node.orelse and len(block) > 1:
                yield _drop(place, node)


def statement(place: Place) -> Iterator[Change]:
    """A call or an assignment in place left out."""
    for block in _blocks(place):
        for node in block:
            is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if (is_call or isinstance(node, ast.AugAssign)) and len(block) > 1:
                yield _drop(place, node)


def jump(place: Place) -> Iterator[Change]:
    """`break` for `continue`, and back."""
    for node in place.nodes():
        if isinstance(node, ast.Break):
            yield place.replace(node, "continue")
        elif isinstance(node, ast.Continue):
            yield place.replace(node, "break")


def missing_return(place: Place) -> Iterator[Change]:
    """A result that is computed but not returned, or that lacks its last step."""
    for node in place.nodes():
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        if isinstance(node.value, ast.Call):
            yield place.replace(node, place.source.segment(node.value))
        elif isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add | ast.Sub):
            yield place.replace(node.value, place.source.segment(node.value.left))
        elif isinstance(node.value, ast.UnaryOp):
            yield place.replace(node.value, place.source.segment(node.value.operand))


def _blocks(place: Place) -> Iterator[list[ast.stmt]]:
    yield place.scope.function.body
    for node in place.nodes():
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def _drop(place: Place, node: ast.stmt) -> Change:
    """Leave out all lines of a statement."""
    assert node.end_lineno is not None
    start, end = place.source.line_start(node.lineno), place.source.line_start(node.end_lineno + 1)
    return node.lineno, Edit(start=start, end=end, new="")

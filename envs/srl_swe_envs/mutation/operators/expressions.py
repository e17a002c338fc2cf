"""Operators on expressions: comparisons, arithmetic, logic, constants."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .place import Change, Place

_BOUNDARY: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
}
_FLIPPED: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", ">"),
    ast.LtE: ("<=", ">="),
    ast.Gt: (">", "<"),
    ast.GtE: (">=", "<="),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_ARITHMETIC: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "%"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
}


def boundary(place: Place) -> Iterator[Change]:
    """`<` for `<=` and the like."""
    yield from _compare(place, _BOUNDARY)


def comparison(place: Place) -> Iterator[Change]:
    """`<` for `>`, `==` for `!=`, `in` for `not in`."""
    yield from _compare(place, _FLIPPED)


def _compare(place: Place, table: Mapping[type[ast.cmpop], tuple[str, str]]) -> Iterator[Change]:
    for node in place.nodes():
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            change = place.between(left, right, *table[type(operator)]) if type(operator) in table else None
            if change is not None:
                yield change


def arithmetic(place: Place) -> Iterator[Change]:
    """`-` for `+`, `%` for `//` and the like."""
    for node in place.nodes():
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            change = place.between(node.left, node.right, *_ARITHMETIC[type(node.op)])
            if change is not None:
                yield change


def boolean(place: Place) -> Iterator[Change]:
    """`or` for `and`, and back."""
    for node in place.nodes():
        if isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            change = place.between(node.values[0], node.values[1], old, new)
            if change is not None:
                yield change


def negation(place: Place) -> Iterator[Change]:
    """A `not` too few or too many in a condition."""
    for node in place.nodes():
        if not isinstance(node, ast.If | ast.While | ast.IfExp):
            continue
        test = node.test
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield place.replace(test, place.source.segment(test.operand))
        elif isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield place.replace(test, "not " + place.source.segment(test))


def constant(place: Place) -> Iterator[Change]:
    """Another number, flag or separator."""
    for node in place.nodes():
        if not isinstance(node, ast.Constant):
            continue
        value = node.value
        if isinstance(value, bool):
            yield place.replace(node, str(not value))
        elif isinstance(value, int) and value > 2:
            yield place.replace(node, str(value + 1))
            yield place.replace(node, str(value - 1))
        elif isinstance(value, str) and value == " ":
            yield place.replace(node, '""')


def off_by_one(place: Place) -> Iterator[Change]:
    """A small number, a bound of a slice or of a range, one too high or too low."""
    for node in place.nodes():
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= 2:
            yield place.replace(node, str(node.value + 1))
            if node.value > 0:
                yield place.replace(node, str(node.value - 1))
        elif isinstance(node, ast.Slice):
            for bound in (node.lower, node.upper):
                if isinstance(bound, ast.Name | ast.Attribute | ast.Call):
                    yield place.replace(bound, place.source.segment(bound) + " + 1")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            last = node.args[0] if len(node.args) == 1 else node.args[1]
            if isinstance(last, ast.Name | ast.Attribute | ast.Call):
                yield place.replace(last, place.source.segment(last) + " - 1")


def ternary(place: Place) -> Iterator[Change]:
    """The two results of a conditional expression exchanged."""
    for node in place.nodes():
        if isinstance(node, ast.IfExp):
            parts = [place.source.segment(part) for part in (node.orelse, node.test, node.body)]
            yield place.replace(node, f"{parts[0]} if {parts[1]} else {parts[2]}")

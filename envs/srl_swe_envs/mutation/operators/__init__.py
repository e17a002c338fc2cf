"""Mutation operators: each finds its places in one function and says what to put there.

A new operator is a function from a `Place` (file and function) to (node, edit) pairs, listed in `OPERATORS` by its
name. Names are part of task ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from . import expressions, names, statements
from .place import Change, Place

Operator = Callable[[Place], Iterator[Change]]

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "boundary": expressions.boundary,
        "comparison": expressions.comparison,
        "arithmetic": expressions.arithmetic,
        "assignment": statements.augmented_assignment,
        "boolean": expressions.boolean,
        "negation": expressions.negation,
        "constant": expressions.constant,
        "off_by_one": expressions.off_by_one,
        "ternary": expressions.ternary,
        "variable": names.variable,
        "arguments": names.arguments,
        "method": names.method,
        "attribute": names.attribute,
        "branch": statements.branch,
        "statement": statements.statement,
        "jump": statements.jump,
        "return": statements.missing_return,
    }
)

__all__ = ["OPERATORS", "Change", "Operator", "Place"]

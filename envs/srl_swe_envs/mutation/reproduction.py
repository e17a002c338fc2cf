"""Turn a failing test into a few statements that show the failure, for the issue text."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .source import FunctionNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Statements and the expression whose value is wrong."""

    statements: tuple[str, ...]
    """Imports and set-up, one line each."""
    expression: str
    called: str
    """Name of the function or method that the expression calls last, empty when it calls none."""

    def code(self) -> str:
        """A program of one line that prints the value."""
        return "; ".join((*self.statements, f"print(repr({self.expression}))"))


def reproduction_of(
    test_source: str, test_name: str, line: int, parameters: Mapping[str, str] | None
) -> Reproduction | None:
    """The statements of a test up to the failing line, or None when they do not stand on their own.

    They do not when the test uses fixtures, helpers of its file, loops or nested functions.
    """
    tree = ast.parse(test_source)
    function = _find(tree, test_name)
    if function is None or parameters is None or (function.decorator_list and not parameters):
        return None
    if {argument.arg for argument in function.args.args} != set(parameters):
        return None
    before: list[ast.stmt] = []
    for statement in function.body:
        if statement.lineno <= line <= (statement.end_lineno or statement.lineno):
            expression = _failing_expression(statement, line)
            return _assemble(tree, before, expression, parameters) if expression is not None else None
        before.append(statement)
    return None


def _find(tree: ast.Module, name: str) -> FunctionNode | None:
    """A test function at the top of the file; methods of classes are left out."""
    for node in tree.body:
        if isinstance(node, FunctionNode) and node.name == name:
            return node
    return None


def _failing_expression(statement: ast.stmt, line: int) -> ast.expr | None:
    match statement:
        case ast.Assert(test=test):
            return _checked(test)
        case ast.With(body=body):
            inner = [part for part in body if part.lineno <= line <= (part.end_lineno or part.lineno)]
            # "did not raise" is reported at the with itself
            chosen = inner[0] if inner else body[0]
            return chosen.value if isinstance(chosen, ast.Expr) and len(body) == 1 else None
        case ast.Expr(value=value) | ast.Assign(value=value):
            return value
        case _:
            return None


def _checked(test: ast.expr) -> ast.expr:
    """The left side of a comparison, or what is asserted."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    if isinstance(test, ast.Compare) and not isinstance(test.left, ast.Constant):
        return test.left
    return test


def _assemble(
    tree: ast.Module, before: Iterable[ast.stmt], expression: ast.expr, parameters: Mapping[str, str]
) -> Reproduction | None:
    statements = [f"{name} = {value}" for name, value in parameters.items()]
    used = _names(expression)
    for statement in reversed(list(before)):
        kept = _setup(statement, used)
        if kept is None:
            return None
        if kept:
            used |= _names(statement)
            statements.insert(len(parameters), kept)
    bound = set(parameters) | _stored(before) | set(dir(builtins))
    needed = sorted(used - bound | (_names(expression) - bound))
    imports = _imports(tree, needed)
    if imports is None or "pytest" in needed:
        return None
    return Reproduction(
        statements=(*imports, *statements), expression=ast.unparse(expression), called=_called(expression)
    )


def _setup(statement: ast.stmt, used: set[str]) -> str | None:
    """The statement as far as it prepares the failing one ("" when it does not); None when it is no single line."""
    match statement:
        case ast.Assign() | ast.Expr():
            return ast.unparse(statement)
        case ast.Assert(test=test):
            # an earlier check may change the object that the failing one looks at
            checked = _checked(test)
            calls = [node for node in ast.walk(checked) if isinstance(node, ast.Call)]
            touches = any(isinstance(call.func, ast.Attribute) and _names(call.func) & used for call in calls)
            return ast.unparse(checked) if touches and not _only_classes(checked) else ""
        case ast.With():
            return ""
        case _:
            return None


def _only_classes(expression: ast.expr) -> bool:
    """Whether an expression starts from names in capitals, i.e. from fresh objects."""
    return all(name[:1].isupper() for name in _names(expression))


def _imports(tree: ast.Module, names: Iterable[str]) -> list[str] | None:
    """Import statements for the names; None when one of them is not imported by the test file."""
    sources: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                sources[alias.asname or alias.name] = (node.module, ast.unparse(alias))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                sources[alias.asname or alias.name.split(".")[0]] = ("", ast.unparse(alias))
    grouped: dict[str, list[str]] = {}
    for name in names:
        if name not in sources:
            return None
        module, alias_text = sources[name]
        grouped.setdefault(module, []).append(alias_text)
    return [f"from {m} import {', '.join(a)}" if m else f"import {', '.join(a)}" for m, a in sorted(grouped.items())]


def _called(expression: ast.expr) -> str:
    """`wrap` for `wrap(x)[0]`, `share` for `[p for p in Money(1).share(...)]`."""
    calls = [node for node in ast.walk(expression) if isinstance(node, ast.Call)]
    for call in calls:
        if isinstance(call.func, ast.Name) and not hasattr(builtins, call.func.id):
            return call.func.id
        if isinstance(call.func, ast.Attribute):
            return call.func.attr
    return ""


def _names(node: ast.AST) -> set[str]:
    """Names that are read, without those that a comprehension binds."""
    read = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    return read - _comprehension_names(node)


def _comprehension_names(node: ast.AST) -> set[str]:
    return {
        name.id
        for part in ast.walk(node)
        if isinstance(part, ast.comprehension)
        for name in ast.walk(part.target)
        if isinstance(name, ast.Name)
    }


def _stored(statements: Iterable[ast.stmt]) -> set[str]:
    return set(_stored_names(statements))


def _stored_names(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id

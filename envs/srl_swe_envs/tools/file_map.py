"""An outline of a long Python file: every line but the bodies of functions.

SWE-agent's editor shows it instead of a file of more than 16,000 characters (upstream class `Filemap`, which reads
the file with tree-sitter; here `ast` does, so a file with a syntax error has no outline).
"""

from __future__ import annotations

import ast
import warnings

_MIN_BODY_LINES = 6


def file_map(source: str) -> str | None:
    """The outline with line numbers, or None when the text is not Python that this interpreter can read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    bodies = [
        (_first_line(node.body[0]), node.body[-1].end_lineno or 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long_bodies = [(first, last) for first, last in bodies if last - first + 1 >= _MIN_BODY_LINES]
    hidden = {number for first, last in long_bodies for number in range(first, last + 1)}
    lines = [(number, line) for number, line in enumerate(source.splitlines(), start=1) if number not in hidden]
    lines += [(first, f"... eliding lines {first}-{last} ...") for first, last in long_bodies]
    return "\n".join(f"{number:6d} {line}" for number, line in sorted(lines))


def _first_line(statement: ast.stmt) -> int:
    """Line where a statement begins, its decorators included."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.decorator_list:
        return statement.decorator_list[0].lineno
    return statement.lineno

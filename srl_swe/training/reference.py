"""Every key of a training run's configuration as Markdown, from the settings themselves.

`python -m srl_swe.training.reference > docs/configuration.md`
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .settings import RunSettings

_HEAD = """\
# Configuration

Every key of a training run's TOML file, with its default. An unknown key, a wrong type or a number out of bounds is
one line with the file, the line and what is expected; nothing is read from the environment. Paths are relative to the
configuration file, also where they come from `--set`. `--set KEY=VALUE` sets any key from the command line, as
`--set srl.batch=64` or `--set 'data.train=["logs/*.jsonl"]'`. A run's folder keeps all values as `config.toml`.

This page is written by `python -m srl_swe.training.reference`.
"""
_TYPES = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sections(RunSettings, "")]) + "\n"


def _sections(kind: Any, path: str) -> Iterator[str]:
    """The table of a settings class, then those of the classes inside it."""
    hints, notes = get_type_hints(kind, include_extras=True), _notes(kind)
    fields = dataclasses.fields(kind)
    yield f"## `[{path}]`\n" if path else "## At the top of the file\n"
    yield f"{_flat(inspect.getdoc(kind) or '')}\n"
    yield "| key | values | default | what it does |\n| --- | --- | --- | --- |"
    for field in fields:
        if not dataclasses.is_dataclass(hints[field.name]):
            default = json.dumps(_default(field), ensure_ascii=False)
            yield f"| `{field.name}` | {_values(hints[field.name])} | `{default}` | {notes.get(field.name, '')} |"
    yield ""
    for field in fields:
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _sections(hints[field.name], f"{path}.{field.name}".lstrip("."))


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _values(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return f"{_TYPES[arguments[0]]}, {arguments[1]}"
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in arguments)
    return f"list of {_values(arguments[0])}" if origin is tuple else _TYPES[kind]


def _notes(kind: type) -> dict[str, str]:
    """The strings below the fields of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(body, ast.ClassDef)
        for field, note in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match note:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[field.target.id] = _flat(text)
    return found


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")

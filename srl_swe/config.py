"""Strict configuration: a TOML file becomes frozen dataclasses, or one clear line with the file, the line and the fix.

A configuration is a tree of dataclasses with defaults. An unknown key is an error that names the nearest known one, a
value of the wrong type an error that names the right one. Nothing is read from the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from srl_swe_envs.errors import ConfigError

from .bounds import Bounds

T = TypeVar("T")


def load_config(kind: type[T], path: Path, overrides: Iterable[str] = ()) -> T:
    """The configuration in a TOML file with `key=value` overrides (dotted keys, TOML values or bare text) applied."""
    text = read_text(path)
    table = _toml(path, text)
    set_by: dict[tuple[str, ...], str] = {}
    for override in overrides:
        set_by[_override(table, override)] = override
    return parse_config(kind, table, _Source(str(path), text, set_by))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises ConfigError."""
    return _toml(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of a file that a user wrote; raises ConfigError when it can't be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error


def parse_config(kind: type[T], table: Mapping[str, Any], source: _Source | None = None) -> T:
    """The configuration in a table; raises ConfigError."""
    value: T = _dataclass(kind, table, (), source or _Source("configuration", ""))
    return value


def config_to_toml(config: Any) -> str:
    """The TOML text of a configuration, every default spelt out (inverse of `load_config`)."""
    return "\n".join(_toml_lines(config, ())) + "\n"


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where a configuration came from, to name lines in errors."""

    name: str
    text: str
    set_by: Mapping[tuple[str, ...], str] = dataclasses.field(default_factory=dict)
    """Overrides by the key that they set."""

    def error(self, path: tuple[str, ...], message: str) -> ConfigError:
        if path in self.set_by:
            return ConfigError(f"--set {self.set_by[path]}: {message}")
        line = self._line(path)
        place = f"{self.name}:{line}" if line else self.name
        inside = [f"--set {override}" for key, override in self.set_by.items() if key[: len(path)] == path]
        message += f" (with {', '.join(inside)})" if inside else ""
        return ConfigError(": ".join(part for part in (place, ".".join(path), message) if part))

    def _line(self, path: tuple[str, ...]) -> int | None:
        """The line that sets a key: the first one with its last part inside the table that its first parts name."""
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := re.match(r"\s*\[+([^\]]+)\]+", line):
                table = tuple(part.strip(" \"'") for part in header[1].split("."))
                if table == path:
                    return number
            elif (key := re.match(r"\s*([\w.\"'-]+)\s*=", line)) and (*table, *key[1].split(".")) == path:
                return number
        return None


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _override(table: dict[str, Any], override: str) -> tuple[str, ...]:
    """Set the override's value in the table; gives its key."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override}: write KEY=VALUE, for example --set srl.max_steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    path = tuple(part.strip() for part in key.split("."))
    *parents, last = path
    for part in parents:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override}: {part} is not a table")
    table[last] = value
    return path


def _dataclass(kind: Any, table: Any, path: tuple[str, ...], source: _Source) -> Any:
    if not isinstance(table, Mapping):
        raise source.error(path, f"a table is expected, not {_shown(table)}")
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(names)}"
            raise source.error((*path, key), f"unknown key; {hint}")
    values = {key: _value(hints[key], value, (*path, key), source) for key, value in table.items()}
    missing = [f.name for f in dataclasses.fields(kind) if _required(f) and f.name not in values]
    if missing:
        raise source.error(path or (missing[0],), f"needs a value for {', '.join(missing)}")
    try:
        return kind(**values)
    except ConfigError as error:
        raise source.error(path or (), str(error)) from error


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(kind: Any, value: Any, path: tuple[str, ...], source: _Source) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path, source)
    if origin is Annotated:
        number, bounds = arguments
        return _bounded(number, bounds, value, path, source)
    if origin is Literal:
        if value in arguments:
            return value
        raise source.error(path, f"one of {', '.join(map(repr, arguments))} is expected, not {_shown(value)}")
    if origin in (Union, types.UnionType):
        return _value(next(item for item in arguments if item is not type(None)), value, path, source)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, path, source) for item in value)
    if origin is dict and isinstance(value, Mapping):  # a table whose keys the reader checks itself
        return dict(value)
    if kind is float and type(value) is int:
        return float(value)
    if kind in (str, int, float, bool) and type(value) is kind:
        return value
    expected = {tuple: "a list", dict: "a table"}.get(origin) or _NAMES.get(kind, str(kind))
    example = f"; write '{path[-1]} = [\"...\"]'" if origin is tuple and isinstance(value, str) else ""
    raise source.error(path, f"{expected} is expected, not {_shown(value)}{example}")


def _bounded(kind: Any, bounds: Bounds, value: Any, path: tuple[str, ...], source: _Source) -> Any:
    number = _value(kind, value, path, source)
    if not bounds.holds(number):
        raise source.error(path, f"{bounds} is expected, not {_shown(value)}")
    return number


_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _toml_lines(config: Any, path: tuple[str, ...]) -> Iterator[str]:
    items = [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    if path:
        yield f"\n[{'.'.join(path)}]"
    for name, value in items:
        if value is not None and not dataclasses.is_dataclass(value):
            yield f"{name} = {_shown(list(value) if isinstance(value, tuple) else value)}"
    for name, value in items:
        if dataclasses.is_dataclass(value):
            yield from _toml_lines(value, (*path, name))

"""Streams the JSON values of a file: JSON Lines, one array, or one object, plain or gzip, never the whole file.

Memory is bounded by the largest single value, whatever the number of values.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Literal

_CHUNK_CHARS = 1 << 18
_SPACE = re.compile(r"[\s]*")
_YAML = re.compile(r"^history:[ \t]*$", re.MULTILINE)
NOT_JSON = "not JSON: it begins neither with { nor with ["
"""The error of a file that is something else altogether."""
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One JSON value, or why there is none on that line."""

    line: int
    value: Any = None
    error: str = ""
    shape: Literal["document", "line", "element"] = "document"
    """Whether it is a whole file, a line of JSON Lines or an element of a file's array."""


def read_records(path: Path) -> Iterator[Record]:
    """The JSON values of a file in order; a value that can't be read is a record with `error` set.

    Bytes that are not UTF-8 become U+FFFD. Raises OSError, EOFError or zlib.error when the file can't be read.
    """
    with closing(_open(path)) as file:
        yield from _Stream(file).records()


def _open(path: Path) -> IO[str]:
    with path.open("rb") as probe:
        head = probe.read(4)
    if head[:2] == b"\x1f\x8b":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="\n")
    encoding = "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return path.open(encoding=encoding, errors="replace", newline="\n")


class _Stream:
    """A window on the text that moves forward; `line` is the line number at the window's start."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._position = 0
        self._line = 1
        self._ended = False

    def records(self) -> Iterator[Record]:
        self._skip_space()
        first = self._peek()
        if first == "[":
            yield from self._array()
        elif first == "{":
            yield from self._objects()
        elif _YAML.search(self._text):
            yield self._yaml()
        elif first:
            yield Record(line=self._line, error=NOT_JSON)

    def _yaml(self) -> Record:
        """A SWE-agent demonstration, which is written in YAML; the whole file is one value."""
        text = self._text[self._position :] + self._file.read()
        try:
            yaml = import_module("yaml")  # optional; no other format needs it
        except ImportError:
            return Record(line=1, error="a YAML demonstration; reading it needs PyYAML (pip install pyyaml)")
        try:
            return Record(line=1, value=yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            return Record(line=mark.line + 1 if mark else 1, error=f"not YAML: {getattr(error, 'problem', error)}")

    def _array(self) -> Iterator[Record]:
        start = self._line
        self._advance(1)
        self._skip_space()
        while (char := self._peek()) != "]":
            if not char:
                yield Record(line=self._line, error=f"truncated: the array that begins in line {start} is not closed")
                return
            record = self._value("element")
            yield record
            if record.error:
                return
            self._skip_space()
            if self._peek() == ",":
                self._advance(1)
                self._skip_space()
            elif self._peek() not in ("]", ""):
                yield Record(line=self._line, error="not JSON: a comma or ] is expected in the array")
                return

    def _objects(self) -> Iterator[Record]:
        """One object, or one per line; a broken line is skipped up to the next."""
        shape: Literal["document", "line"] = "document"
        while True:
            self._skip_space()
            if not self._peek():
                return
            record = self._value(shape)
            if not record.error:
                line = self._line
                self._skip_space()
                if self._line == line and self._peek() not in ("{", ""):
                    record = Record(line=record.line, error="not JSON: something stands behind the value")
                elif self._peek():
                    shape = "line"
            yield replace(record, shape=shape)
            if record.error:
                shape = "line"
                if not self._skip_to_next_object():
                    return

    def _value(self, shape: Literal["document", "line", "element"]) -> Record:
        line, wanted = self._line, _CHUNK_CHARS
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except RecursionError:
                return Record(line=line, error="nested too deeply", shape=shape)
            except json.JSONDecodeError as error:
                if self._broken(error) or not self._more(wanted):
                    return Record(line=self._line_of(error, shape), error=_why(error))
                wanted *= 2
                continue
            if end == len(self._text) and not self._ended and self._more(_CHUNK_CHARS):
                continue  # a number could go on
            self._advance(end - self._position)
            return Record(line=line, value=value, shape=shape)

    def _broken(self, error: json.JSONDecodeError) -> bool:
        """Whether more text can't help: the fault lies well before the window's end."""
        if error.msg.startswith("Unterminated string"):
            return False
        return error.msg.startswith("Invalid control character") or error.pos < len(self._text) - 16

    def _line_of(self, error: json.JSONDecodeError, shape: str) -> int:
        """The line to name: the fault's own in a document, the value's first one where each line is a value."""
        if shape == "line" or "\n{" in self._text[self._position : error.pos + 1]:
            return self._line
        return self._line + self._text.count("\n", self._position, error.pos)

    def _skip_to_next_object(self) -> bool:
        """Go to the next line that begins with `{`; False at the end of the file."""
        while True:
            start = self._text.find("\n{", self._position)
            if start >= 0:
                self._advance(start + 1 - self._position)
                return True
            self._advance(max(len(self._text) - 1 - self._position, 0))
            if not self._more(_CHUNK_CHARS):
                return False

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._text, self._position)
            self._advance((match.end() if match else self._position) - self._position)
            if self._position < len(self._text) or not self._more(_CHUNK_CHARS):
                return

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _advance(self, count: int) -> None:
        self._line += self._text.count("\n", self._position, self._position + count)
        self._position += count

    def _more(self, count: int) -> bool:
        chunk = "" if self._ended else self._file.read(count)
        self._ended = self._ended or not chunk
        self._text = self._text[self._position :] + chunk
        self._position = 0
        return bool(chunk)


def _why(error: json.JSONDecodeError) -> str:
    return f"not JSON: {error.msg[0].lower()}{error.msg[1:]} (column {error.colno})"

"""All mutants of a repository in a seeded order."""

from __future__ import annotations

import ast
import difflib
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .operators import OPERATORS, Place
from .source import Edit, SourceFile, scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One planted bug: in `path`, the text `old` at character `start` became `new`."""

    path: str
    operator: str
    function: str
    """Dotted name of the function or method that holds the bug."""
    start: int
    old: str
    new: str

    def plant(self, text: str) -> str:
        """The file with the bug; ValueError when it is not the file that the mutant was made for."""
        return self._swap(text, self.old, self.new)

    def remove(self, text: str) -> str:
        """The file without the bug."""
        return self._swap(text, self.new, self.old)

    def planting_patch(self, text: str) -> str:
        """The diff that puts the bug into the file `text`, as `git apply` takes it."""
        return _patch(self.path, text, self.plant(text))

    def fixing_patch(self, text: str) -> str:
        """The diff that takes the bug out again; `text` is the file without it."""
        return _patch(self.path, self.plant(text), text)

    def _swap(self, text: str, old: str, new: str) -> str:
        end = self.start + len(old)
        if text[self.start : end] != old:
            raise ValueError(f"{self.path} has other text at {self.start} than the mutant was made for")
        return Edit(start=self.start, end=end, new=new).apply(text)

    def digest(self) -> str:
        """Eight hexadecimal digits that tell mutants apart."""
        parts = (self.path, self.operator, str(self.start), self.old, self.new)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def mutants_of(source: SourceFile) -> list[Mutant]:
    """Every mutant of a file that is still valid Python, each text once, in order of operators and places."""
    found: dict[str, Mutant] = {source.text: _NONE}
    for scope in scopes(source):
        place = Place(source=source, scope=scope)
        for name, operator in OPERATORS.items():
            for _, edit in operator(place):
                text = edit.apply(source.text)
                if text in found or not _is_python(text):
                    continue
                old = source.text[edit.start : edit.end]
                found[text] = Mutant(
                    path=source.path, operator=name, function=scope.name, start=edit.start, old=old, new=edit.new
                )
    return [mutant for mutant in found.values() if mutant is not _NONE]


def ordered_mutants(sources: Sequence[SourceFile], seed: int) -> list[Mutant]:
    """Mutants of several files, shuffled by the seed and dealt so that operators and functions take turns."""
    everything = [mutant for source in sources for mutant in mutants_of(source)]
    random.Random(seed).shuffle(everything)
    used: dict[str, int] = {}
    ranked: list[tuple[int, int, Mutant]] = []
    for mutant in everything:
        # the how-manieth of its operator and of its function a mutant is decides its rank
        keys = (f"operator {mutant.operator}", f"function {mutant.path} {mutant.function}")
        ranked.append((sum(used.get(key, 0) for key in keys), len(ranked), mutant))
        for key in keys:
            used[key] = used.get(key, 0) + 1
    return [mutant for _, _, mutant in sorted(ranked, key=lambda entry: entry[:2])]


def python_sources(root: Path, paths: Sequence[str]) -> Iterator[SourceFile]:
    """The files among `paths` (relative to root) that parse as Python."""
    for path in paths:
        try:
            yield SourceFile(path=path, text=(root / path).read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue


def _patch(path: str, before: str, after: str) -> str:
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    lines = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    )
    return f"diff --git a/{path} b/{path}\n" + "".join(lines)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


_NONE = Mutant(path="", operator="", function="", start=0, old="", new="")

"""A text file as an editor sees it, and the way back to its bytes.

The recorded editors work on a view of the file: tabs expanded, line ends as `\n`. They also write that view back,
which turns every tab of a Makefile into spaces. Here the view is what is matched and shown, while an edit goes to the
corresponding place of the original text and leaves everything else as it was.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class TextFile:
    """A file's own text, its encoding, and the view that is shown."""

    original: str
    encoding: str = "utf-8"

    @classmethod
    def decode(cls, data: bytes) -> TextFile:
        """UTF-8 where it is valid, Latin-1 (which can hold any byte) otherwise."""
        try:
            return cls(data.decode("utf-8"), "utf-8")
        except UnicodeDecodeError:
            return cls(data.decode("latin-1"), "latin-1")

    @cached_property
    def shown(self) -> str:
        """Line ends as `\\n`, tabs expanded to multiples of eight columns."""
        return _unix(self.original).expandtabs()

    @cached_property
    def plain(self) -> str:
        """Line ends as `\\n`, tabs as they are."""
        return _unix(self.original)

    def spliced(self, start: int, end: int, new: str) -> str:
        """The original with `shown[start:end]` replaced by `new`, whose line ends become the file's own."""
        if self.shown == self.original:
            return self.original[:start] + new + self.original[end:]
        if "\r\n" in self.original:
            new = new.replace("\r\n", "\n").replace("\n", "\r\n")
        before, after = self._place(start), self._place(end)
        head = self.original[: before.index] + " " * before.into_tab
        tail = " " * after.left_of_tab + self.original[after.index + bool(after.into_tab) :]
        return head + new + tail

    def _place(self, offset: int) -> _Place:
        """Where an offset of `shown` lies in the original."""
        index = bisect_left(self._starts, offset)
        if self._starts[index] == offset:
            return _Place(index=index)
        start, end = self._starts[index - 1], self._starts[index]
        return _Place(index=index - 1, into_tab=offset - start, left_of_tab=end - offset)

    @cached_property
    def _starts(self) -> list[int]:
        """Offset in `shown` of every character of the original, and of its end."""
        starts, offset, column = [], 0, 0
        for index, char in enumerate(self.original):
            starts.append(offset)
            if char == "\r" and self.original[index + 1 : index + 2] == "\n":
                continue  # the pair is one line end, counted at its second half
            if char in "\r\n":
                offset, column = offset + 1, 0
            else:
                width = 8 - column % 8 if char == "\t" else 1
                offset, column = offset + width, column + width
        return [*starts, offset]


@dataclass(frozen=True, slots=True)
class _Place:
    index: int
    into_tab: int = 0
    left_of_tab: int = 0


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

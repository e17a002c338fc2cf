"""Step boundaries for solutions that have none: paragraphs and, where there is one paragraph alone, sentences.

Nothing is cut inside a formula, an environment or a code block. A piece that announces the next one (it ends in a
colon or a comma) stays with it, and so does a piece that is too short to be a step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_WHOLE = re.compile(
    r"\\\[.*?\\\]|\$\$.*?\$\$|\\begin\{(\w+\*?)\}.*?\\end\{\1\}|```.*?```|\\\(.*?\\\)|(?<!\\)\$[^$\n]+\$", re.DOTALL
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?])[ \n]+(?=[A-Z$\\(])")
_ANNOUNCES = (":", ",", "=")


def segment(text: str, min_chars: int) -> tuple[str, ...]:
    """The steps of a text, in order; joined by white space they are the text again. Pieces reach `min_chars`."""
    text = text.strip()
    if not text:
        return ()
    pieces = _joined(list(_cut(text, _PARAGRAPH)), "\n\n", min_chars)
    if len(pieces) == 1:
        pieces = _joined(list(_cut(text, _SENTENCE)), " ", min_chars)
    return tuple(pieces)


def _cut(text: str, where: re.Pattern[str]) -> Iterator[str]:
    """The text's parts between matches that stand outside of formulas and blocks."""
    whole = [match.span() for match in _WHOLE.finditer(text)]
    start = 0
    for match in where.finditer(text):
        if not any(begin < match.end() and match.start() < end for begin, end in whole):
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]


def _joined(pieces: Sequence[str], glue: str, min_chars: int) -> list[str]:
    """Pieces that announce another or are too short, joined to their neighbours."""
    found: list[str] = []
    pending = ""
    for piece in pieces:
        pending = f"{pending}{glue}{piece}" if pending else piece
        if len(pending) >= min_chars and not pending.rstrip().endswith(_ANNOUNCES):
            found.append(pending)
            pending = ""
    if pending:  # what is left is too short: the last step takes it
        found[-1:] = [f"{found[-1]}{glue}{pending}"] if found else [pending]
    return found

"""Exact `difflib` matching in pure Python: the kernel used where the C extension is not built.

difflib takes the longest common run of two ranges (ties: first in a, then first in b) and goes on with the ranges left
and right of it; its time is cubic on periodic input. Here all runs of that length are taken in one sweep over a,
because left of the first of them only shorter ones remain. The length then falls strictly from a piece to the pieces
inside it, so the recursion is at most sqrt(2 * min(len(a), len(b))) deep, and no length cap is needed for bounded
time: large pieces are matched by the names of their substrings (`_Names`, near-linear in the piece), small ones by
bit sets (`_BitSets`).
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol

Block = tuple[int, int, int]
"""Start in a, start in b, size."""
Piece = tuple[int, int, int, int]
"""Range of a and range of b that are still unmatched: alo, ahi, blo, bhi."""
_BIT_SET_ELEMENTS = 2_000
"""Elements of b in a piece up to which bit sets are faster than names."""


def blocks(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool = False) -> list[Block]:
    """Matching blocks of two sequences of hashable elements, ascending; adjacent ones are not merged."""
    return sorted(_blocks(a, b, autojunk, _BIT_SET_ELEMENTS))


def ratio(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool = False) -> float:
    """`2M / T` as `difflib.SequenceMatcher(None, a, b, autojunk).ratio()` gives it; 1.0 for two empty sequences."""
    total = len(a) + len(b)
    return 2.0 * sum(size for _, _, size in _blocks(a, b, autojunk, _BIT_SET_ELEMENTS)) / total if total else 1.0


class _Starts(Protocol):
    """Where matches of one length start: positions in a, ascending, and those in b that go with each."""

    @property
    def size(self) -> int:
        """Length of the matches; 0 when there are none."""
        ...

    @property
    def in_a(self) -> Iterable[int]:
        """Starts in a, ascending."""
        ...

    def first_in_b(self, i: int, blo: int) -> int | None:
        """First start in b, from `blo` on, of a match that starts at `i` in a."""
        ...


def _blocks(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool, bit_set_elements: int) -> Iterator[Block]:
    if a and len(a) == len(b) and a == b:
        yield 0, 0, len(a)
        return
    a_ids, b_ids = _ids(a, b, autojunk)
    names = _Names(a_ids, b_ids)
    pieces = [((0, len(a), 0, len(b)), min(len(a), len(b)))]
    while pieces:
        piece, limit = pieces.pop()
        alo, ahi, blo, bhi = piece
        if alo == ahi or blo == bhi:
            continue
        small = bhi - blo <= bit_set_elements
        starts: _Starts = _BitSets(a_ids, b_ids, piece) if small else names.longest(piece, limit)
        found = False
        for block in _chain(a, b, piece, starts):
            yield block
            found = True
            pieces.append(((alo, block[0], blo, block[1]), starts.size - 1))
            alo, blo = block[0] + block[2], block[1] + block[2]
        if found:
            pieces.append(((alo, ahi, blo, bhi), starts.size - 1))


def _ids(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool) -> tuple[list[int], list[int]]:
    """Ids of the elements that may start a match; those of a that may not are -1, those of b -2."""
    counts: dict[Hashable, int] = {}
    for element in b:
        counts[element] = counts.get(element, 0) + 1
    limit = len(b) // 100 + 1 if autojunk and len(b) >= 200 else len(b)
    shared = [element for element in set(a) if 0 < counts.get(element, 0) <= limit]
    ids = {element: number for number, element in enumerate(shared)}
    return [ids.get(element, -1) for element in a], [ids.get(element, -2) for element in b]


def _chain(a: Sequence[Hashable], b: Sequence[Hashable], piece: Piece, starts: _Starts) -> Iterator[Block]:
    """Blocks of the longest length in a piece, each the first one right of its predecessor, grown to their ends."""
    alo, ahi, blo, bhi = piece
    if not starts.size:
        block = _grown(a, b, piece, (alo, blo, 0))
        if block[2]:
            yield block
        return
    for i in starts.in_a:
        if i >= alo and (j := starts.first_in_b(i, blo)) is not None:
            block = _grown(a, b, (alo, ahi, blo, bhi), (i, j, starts.size))
            yield block
            alo, blo = block[0] + block[2], block[1] + block[2]


def _grown(a: Sequence[Hashable], b: Sequence[Hashable], piece: Piece, block: Block) -> Block:
    """A block extended over equal neighbours: with autojunk those that are too frequent to start a match."""
    alo, ahi, blo, bhi = piece
    i, j, size = block
    while i > alo and j > blo and a[i - 1] == b[j - 1]:
        i, j, size = i - 1, j - 1, size + 1
    while i + size < ahi and j + size < bhi and a[i + size] == b[j + size]:
        size += 1
    return i, j, size


class _BitSets:
    """The longest matches of a small piece.

    Bit `j` of row `i` of `R_l` says `a[i:i+l] == b[j:j+l]`, so `R_(l+m)[i] = R_l[i] & (R_m[i+l] >> l)`: doubling and a
    binary descent give the longest length.
    """

    def __init__(self, a_ids: list[int], b_ids: list[int], piece: Piece) -> None:
        self.alo, ahi, self.blo, bhi = piece
        part = a_ids[self.alo : ahi]
        row_of = dict.fromkeys(part, 0)
        for j, number in enumerate(b_ids[self.blo : bhi]):
            if number in row_of:
                row_of[number] |= 1 << j
        self.size, self.rows = self._longest([row_of[number] for number in part])
        self.in_a = [i for i, row in enumerate(self.rows, start=self.alo) if row]

    def first_in_b(self, i: int, blo: int) -> int | None:
        """See `_Starts`."""
        row = self.rows[i - self.alo] >> (blo - self.blo)
        return blo + (row & -row).bit_length() - 1 if row else None

    @staticmethod
    def _longest(rows: list[int]) -> tuple[int, list[int]]:
        """Longest length `l` that matches anywhere, and `R_l`; 0 and no rows when nothing matches."""
        if not any(rows):
            return 0, []
        levels = [rows]
        while True:
            half = 1 << (len(levels) - 1)
            doubled = [row & (later >> half) for row, later in zip(levels[-1], levels[-1][half:], strict=False)]
            if not any(doubled):
                break
            levels.append(doubled)
        size, longest = half, levels.pop()
        while levels:
            step, shorter = 1 << (len(levels) - 1), levels.pop()
            longer = [row & (later >> size) for row, later in zip(longest, shorter[size:], strict=False)]
            if any(longer):
                size, longest = size + step, longer
        return size, longest


class _Names:
    """The longest matches of any piece, from names of substrings.

    Substrings of length 2^k get the same name where they are equal (Karp, Miller, Rosenberg 1972); two names that
    overlap stand for any length between 2^k and 2^(k+1). Substrings that only one side has are named -1 or -2.
    """

    def __init__(self, a_ids: list[int], b_ids: list[int]) -> None:
        self.levels = [(a_ids, b_ids)]

    def longest(self, piece: Piece, limit: int) -> "_NamedStarts":
        """Starts of the longest matches in a piece where none is longer than `limit`."""
        alo, ahi, blo, bhi = piece
        low, length, high = 0, 1, min(limit, ahi - alo, bhi - blo)
        while length <= high and self._matches(piece, length):
            low, length = length, 2 * length
        high = min(high, length - 1)
        while low < high:
            length = (low + high + 1) // 2
            low, high = (length, high) if self._matches(piece, length) else (low, length - 1)
        return _NamedStarts(low, piece, *(self._keys(piece, low) if low else ((), ())))

    def _matches(self, piece: Piece, length: int) -> bool:
        a_keys, b_keys = self._keys(piece, length)
        return not set(b_keys).isdisjoint(a_keys)

    def _keys(self, piece: Piece, length: int) -> tuple[Iterable[Hashable], Iterable[Hashable]]:
        """What stands for the substrings of a length that start in a piece, in the order of their starts."""
        alo, ahi, blo, bhi = piece
        level = length.bit_length() - 1
        while len(self.levels) <= level:
            self._double()
        a_names, b_names = self.levels[level]
        shift = length - (1 << level)
        a_heads, b_heads = a_names[alo : ahi - length + 1], b_names[blo : bhi - length + 1]
        if not shift:
            return a_heads, b_heads
        a_tails = a_names[alo + shift : ahi - (1 << level) + 1]
        b_tails = b_names[blo + shift : bhi - (1 << level) + 1]
        return zip(a_heads, a_tails, strict=True), zip(b_heads, b_tails, strict=True)

    def _double(self) -> None:
        """Names the substrings twice as long as those named last."""
        half = 1 << (len(self.levels) - 1)
        a_pairs, b_pairs = (list(zip(names, names[half:], strict=False)) for names in self.levels[-1])
        names = {pair: number for number, pair in enumerate(set(a_pairs).intersection(b_pairs))}
        self.levels.append(([names.get(pair, -1) for pair in a_pairs], [names.get(pair, -2) for pair in b_pairs]))


class _NamedStarts:
    """Starts of the matches of one length, by the keys of `_Names`."""

    def __init__(self, size: int, piece: Piece, a_keys: Iterable[Hashable], b_keys: Iterable[Hashable]) -> None:
        self.size = size
        in_b: dict[Hashable, list[int]] = {}
        for j, key in enumerate(b_keys, start=piece[2]):
            in_b.setdefault(key, []).append(j)
        self.in_b_of = {i: in_b[key] for i, key in enumerate(a_keys, start=piece[0]) if key in in_b}
        self.in_a = self.in_b_of.keys()

    def first_in_b(self, i: int, blo: int) -> int | None:
        """See `_Starts`."""
        in_b = self.in_b_of[i]
        at = bisect_left(in_b, blo)
        return in_b[at] if at < len(in_b) else None

"""Exact `difflib` matching in pure Python: the kernel used where the C extension is not built.

`difflib.SequenceMatcher` is cubic on periodic input; this gives the same blocks from bit sets. Bit `j` of row `i` of
`R_l` says `a[i:i+l] == b[j:j+l]`, so `R_(l+m)[i] = R_l[i] & (R_m[i+l] >> l)`: doubling and a binary descent give the
longest length, the lowest row and its lowest bit are difflib's tie break. Blocks of one length are then taken in a
single sweep, because left of the first of them only shorter ones remain; the length therefore falls strictly from a
piece to the pieces inside it, and the recursion is at most sqrt(2 * min(len(a), len(b))) deep.
"""

from collections.abc import Hashable, Iterator, Sequence

Block = tuple[int, int, int]
"""Start in a, start in b, size."""
Piece = tuple[int, int, int, int]
"""Range of a and range of b that are still unmatched: alo, ahi, blo, bhi."""


def blocks(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool = False) -> list[Block]:
    """Matching blocks of two sequences of hashable elements, ascending; adjacent ones are not merged."""
    return sorted(_blocks(a, b, autojunk))


def ratio(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool = False) -> float:
    """`2M / T` as `difflib.SequenceMatcher(None, a, b, autojunk).ratio()` gives it; 1.0 for two empty sequences."""
    total = len(a) + len(b)
    return 2.0 * sum(size for _, _, size in _blocks(a, b, autojunk)) / total if total else 1.0


def _blocks(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool) -> Iterator[Block]:
    if a and len(a) == len(b) and a == b:
        yield 0, 0, len(a)
        return
    masks = _masks(a, b, autojunk)
    pieces = [(0, len(a), 0, len(b))]
    while pieces:
        alo, ahi, blo, bhi = piece = pieces.pop()
        if alo == ahi or blo == bhi:
            continue
        chain = _longest_chain(a, b, masks, piece)
        for i, j, size in chain:
            yield i, j, size
            pieces.append((alo, i, blo, j))
            alo, blo = i + size, j + size
        if chain:
            pieces.append((alo, ahi, blo, bhi))


def _masks(a: Sequence[Hashable], b: Sequence[Hashable], autojunk: bool) -> dict[Hashable, int]:
    """Positions in b, as a bit set, of every element that may carry a match."""
    positions: dict[Hashable, list[int]] = {}
    for j, element in enumerate(b):
        positions.setdefault(element, []).append(j)
    limit = len(b) // 100 + 1 if autojunk and len(b) >= 200 else len(b)
    masks = {}
    for element in positions.keys() & set(a):
        if len(positions[element]) <= limit:
            row = bytearray(len(b) // 8 + 1)
            for j in positions[element]:
                row[j >> 3] |= 1 << (j & 7)
            masks[element] = int.from_bytes(row, "little")
    return masks


def _longest_chain(
    a: Sequence[Hashable], b: Sequence[Hashable], masks: dict[Hashable, int], piece: Piece
) -> list[Block]:
    """Blocks of the longest length in a piece, each the first one right of its predecessor, grown to their ends."""
    alo, ahi, blo, bhi = piece
    window = (1 << (bhi - blo)) - 1
    in_window = {element: (masks.get(element, 0) >> blo) & window for element in set(a[alo:ahi])}
    size, rows = _longest_rows([in_window[element] for element in a[alo:ahi]])
    if not size:
        prefix = _grown(a, b, piece, (alo, blo, 0))
        return [prefix] if prefix[2] else []
    chain = []
    next_i, next_j = alo, blo
    for i, row in enumerate(rows, start=alo):
        if row and i >= next_i and (row := row >> (next_j - blo)):
            j = next_j + (row & -row).bit_length() - 1
            block = _grown(a, b, (next_i, ahi, next_j, bhi), (i, j, size))
            chain.append(block)
            next_i, next_j = block[0] + block[2], block[1] + block[2]
    return chain


def _grown(a: Sequence[Hashable], b: Sequence[Hashable], piece: Piece, block: Block) -> Block:
    """A block extended over equal neighbours: with autojunk those that are too frequent to start a match."""
    alo, ahi, blo, bhi = piece
    i, j, size = block
    while i > alo and j > blo and a[i - 1] == b[j - 1]:
        i, j, size = i - 1, j - 1, size + 1
    while i + size < ahi and j + size < bhi and a[i + size] == b[j + size]:
        size += 1
    return i, j, size


def _longest_rows(rows: list[int]) -> tuple[int, list[int]]:
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

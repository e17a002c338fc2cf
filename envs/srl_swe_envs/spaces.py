"""A space of texts.

`gymnasium.spaces.Text` enumerates its characters and refuses the empty text, so it can hold neither a shell command
nor a file; a model's reply and what it sees are any text at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space

_SAMPLED_CHARS = 40
_PIECES = ("a", "Z", "0", " ", "\n", "\t", "<", ">", "/", "=", "`", '"', "\\", "-", "é", "漢", "🙂")


class UnicodeText(Space[str]):
    """Every `str` of at most `max_chars` characters; None sets no limit.

    `sample` gives short texts of odd characters.
    """

    def __init__(self, max_chars: int | None = None, *, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(dtype=str, seed=seed)
        self.max_chars = max_chars

    @property
    def is_np_flattenable(self) -> bool:
        """Texts have no fixed shape."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A random text; raises ValueError for a mask or probabilities, which texts don't have."""
        if mask is not None or probability is not None:
            raise ValueError("a text can't be sampled with a mask or probabilities")
        longest = _SAMPLED_CHARS if self.max_chars is None else min(self.max_chars, _SAMPLED_CHARS)
        length = int(self.np_random.integers(longest + 1))
        return "".join(_PIECES[place] for place in self.np_random.integers(len(_PIECES), size=length))

    def contains(self, x: Any) -> bool:
        """Whether `x` is a text and not too long."""
        return isinstance(x, str) and (self.max_chars is None or len(x) <= self.max_chars)

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_chars})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and self.max_chars == other.max_chars

    def __hash__(self) -> int:
        return hash((UnicodeText, self.max_chars))

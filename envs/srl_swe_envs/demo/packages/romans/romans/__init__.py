"""Numbers as Roman numerals and as English words."""

from romans.numerals import from_roman, is_roman, to_roman
from romans.words import ordinal, to_words

__all__ = ["from_roman", "is_roman", "ordinal", "to_roman", "to_words"]

"""Turn text into tokens."""

from dataclasses import dataclass

OPERATORS = ("**", "//", "+", "-", "*", "/", "(", ")", ",")


class LexError(ValueError):
    """Raised for text that holds no token."""


@dataclass(frozen=True)
class Token:
    """A piece of the text; ``at`` is its offset."""

    kind: str
    text: str
    at: int


def scan_number(text: str, at: int) -> int:
    """Offset just behind the number that starts at ``at``; one dot is allowed."""
    end = at
    dots = 0
    while end < len(text) and (text[end].isdigit() or (text[end] == "." and dots == 0)):
        if text[end] == ".":
            dots += 1
        end += 1
    return end


def scan_name(text: str, at: int) -> int:
    """Offset just behind the name that starts at ``at``."""
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return end


def tokenize(text: str) -> list[Token]:
    """All tokens of ``text``; white space separates and ``#`` starts a comment."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "#":
            break
        if char.isspace():
            at += 1
            continue
        if char.isdigit():
            kind, end = "number", scan_number(text, at)
        elif char.isalpha() or char == "_":
            kind, end = "name", scan_name(text, at)
        else:
            found = next((operator for operator in OPERATORS if text.startswith(operator, at)), None)
            if found is None:
                raise LexError(f"unexpected {char!r} at {at}")
            kind, end = "operator", at + len(found)
        tokens.append(Token(kind, text[at:end], at))
        at = end
    return tokens

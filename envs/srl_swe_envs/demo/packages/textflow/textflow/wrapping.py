"""Break text into lines of a given width."""


def split_long(word: str, width: int) -> list[str]:
    """Cut a word into pieces of at most ``width`` characters."""
    return [word[start : start + width] for start in range(0, len(word), width)]


def wrap(text: str, width: int = 72) -> list[str]:
    """Break ``text`` at spaces into lines of at most ``width`` characters.

    A word longer than a line is cut. Raises ValueError when the width is not positive.
    """
    if width < 1:
        raise ValueError("width must be at least 1")
    lines: list[str] = []
    current = ""
    for word in text.split():
        if current and len(current) + 1 + len(word) <= width:
            current = current + " " + word
            continue
        if current:
            lines.append(current)
        pieces = split_long(word, width)
        lines.extend(pieces[:-1])
        current = pieces[-1]
    if current:
        lines.append(current)
    return lines


def fill(text: str, width: int = 72) -> str:
    """Wrap every paragraph of ``text``; blank lines separate paragraphs."""
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return "\n\n".join("\n".join(wrap(part, width)) for part in paragraphs)


def shorten(text: str, width: int, mark: str = "...") -> str:
    """Collapse white space and cut whole words so that text and mark fit into ``width``."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    room = width - len(mark)
    if room < 0:
        raise ValueError("mark is longer than the width")
    kept = ""
    for word in text.split():
        longer = kept + " " + word if kept else word
        if len(longer) > room:
            break
        kept = longer
    return kept + mark

"""Arrange lines that are already broken."""


def indent(text: str, prefix: str, *, skip_first: bool = False) -> str:
    """Put ``prefix`` before every line that is not blank."""
    result = []
    for number, line in enumerate(text.split("\n")):
        if not line.strip() or (skip_first and number == 0):
            result.append(line)
        else:
            result.append(prefix + line)
    return "\n".join(result)


def center(text: str, width: int, fill: str = " ") -> str:
    """Centre ``text``; an odd rest goes to the right. Longer text comes back unchanged."""
    rest = width - len(text)
    if rest <= 0:
        return text
    left = rest // 2
    return fill * left + text + fill * (rest - left)


def justify(line: str, width: int) -> str:
    """Stretch the gaps of ``line`` to fill ``width``; the leftmost gaps grow first."""
    words = line.split()
    if len(words) < 2:
        return line
    letters = sum(len(word) for word in words)
    gaps = len(words) - 1
    spaces = width - letters
    if spaces < gaps:
        return " ".join(words)
    small, extra = divmod(spaces, gaps)
    result = ""
    for position, word in enumerate(words[:-1]):
        gap = small + 1 if position < extra else small
        result += word + " " * gap
    return result + words[-1]

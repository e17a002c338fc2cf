"""Durations in whole seconds."""

SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> int:
    """Seconds of a text such as ``1h30m``; units go from large to small, each once."""
    total = 0
    digits = ""
    smallest = 86401
    for char in text:
        if char.isdigit():
            digits += char
            continue
        if char not in SECONDS or not digits:
            raise ValueError(f"cannot read {text!r}")
        if SECONDS[char] >= smallest:
            raise ValueError(f"units out of order in {text!r}")
        smallest = SECONDS[char]
        total += int(digits) * smallest
        digits = ""
    if digits or not text:
        raise ValueError(f"cannot read {text!r}")
    return total


def format_duration(seconds: int, parts: int = 2) -> str:
    """The largest units first, at most ``parts`` of them; the rest is cut off."""
    if seconds < 0:
        return "-" + format_duration(-seconds, parts)
    result = []
    for unit, size in SECONDS.items():
        count, seconds = divmod(seconds, size)
        if count > 0 and len(result) < parts:
            result.append(f"{count}{unit}")
    return "".join(result) or "0s"


def clock(seconds: int) -> str:
    """``MM:SS``, or ``H:MM:SS`` from one hour on."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes:02d}:{rest:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}"

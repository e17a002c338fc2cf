"""Numbers for people."""

PREFIXES = ("B", "kB", "MB", "GB", "TB")


def human_size(count: int, base: int = 1000) -> str:
    """Bytes with a fitting prefix; below ten there is one decimal."""
    if count < 0:
        raise ValueError("count is negative")
    size = float(count)
    step = 0
    while size >= base and step < len(PREFIXES) - 1:
        size /= base
        step += 1
    if step > 0 and size < 10:
        return f"{size:.1f} {PREFIXES[step]}"
    return f"{size:.0f} {PREFIXES[step]}"


def round_to(value: int, step: int) -> int:
    """Nearest multiple of ``step``; the middle goes up."""
    if step <= 0:
        raise ValueError("step must be positive")
    return (2 * value + step) // (2 * step) * step


def clamp(value: int, low: int, high: int) -> int:
    """The value, moved into the limits."""
    if low > high:
        raise ValueError("limits are swapped")
    return max(low, min(value, high))


def percentages(counts: list[int]) -> list[int]:
    """Whole percentages that sum to 100; the largest fractions are rounded up first."""
    total = sum(counts)
    if total == 0:
        return [0 for _ in counts]
    shares = [count * 100 // total for count in counts]
    order = sorted(range(len(counts)), key=lambda place: -(counts[place] * 100 % total))
    for place in order[: 100 - sum(shares)]:
        shares[place] += 1
    return shares

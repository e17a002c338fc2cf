"""Pairs of texts to score: a training step's worth from Python's own library, hostile families, and random ones.

All of it is built on the spot and depends only on the seed and the Python version.
"""

import bisect
import math
import random
import sysconfig
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

Pair = tuple[str, str]
"""A reply's action and the expert's."""

BUCKETS = ((20, 100), (100, 300), (300, 1_000), (1_000, 3_000), (3_000, 8_000), (8_000, 20_000))
"""Lengths of experts, in characters."""
ROLLOUTS_PER_EXPERT = 8
_STEP_QUANTILES = ((0.0, 20), (0.5, 141), (0.9, 3_000), (0.99, 13_656), (1.0, 20_000))
"""Lengths of the experts of a step: log-linear between these."""


@cache
def sources() -> tuple[str, ...]:
    """Python files of the standard library's top level, in order of their names."""
    folder = Path(sysconfig.get_path("stdlib"))
    return tuple(path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.py")))


def excerpt(rng: random.Random, source: str, num_chars: int) -> str:
    """A piece of a source from the start of a line on; sources that are too short are repeated."""
    while len(source) <= 2 * num_chars:
        source += source or " "
    start = source.find("\n", rng.randrange(len(source) - num_chars)) + 1
    return source[start : start + num_chars]


def edited(rng: random.Random, text: str, num_edits: int) -> str:
    """A text with small pieces replaced by pieces from elsewhere in it."""
    for _ in range(num_edits):
        at, taken = rng.randrange(len(text)), rng.randrange(len(text))
        text = text[:at] + text[taken : taken + rng.randrange(12)] + text[at + rng.randrange(12) :] or text
    return text


def rollouts(rng: random.Random, num_chars: int) -> list[Pair]:
    """One expert and eight replies: one equal, two with few and two with many edits, three other texts."""
    source, other = rng.choice(sources()), rng.choice(sources())
    expert = excerpt(rng, source, num_chars)
    replies = [expert]
    replies += [edited(rng, expert, 2) for _ in range(2)]
    replies += [edited(rng, expert, 2 + num_chars // 60) for _ in range(2)]
    replies += [excerpt(rng, source, num_chars), excerpt(rng, other, num_chars)]
    replies.append(excerpt(rng, other, max(20, num_chars // 2)))
    return [(reply, expert) for reply in replies]


def step_pairs(num_pairs: int, seed: int = 0) -> list[Pair]:
    """A training step: experts of median 141, p90 3,000 and at most 20,000 characters, eight replies each."""
    rng = random.Random(seed)
    num_experts = num_pairs // ROLLOUTS_PER_EXPERT
    lengths = [step_length(k / max(1, num_experts - 1)) for k in range(num_experts)]
    rng.shuffle(lengths)
    return [pair for num_chars in lengths for pair in rollouts(rng, num_chars)]


def step_length(quantile: float) -> int:
    """Length of the expert at a quantile of a step."""
    at = min(bisect.bisect_right([q for q, _ in _STEP_QUANTILES], quantile), len(_STEP_QUANTILES) - 1)
    (q0, low), (q1, high) = _STEP_QUANTILES[at - 1], _STEP_QUANTILES[at]
    return round(math.exp(math.log(low) + (quantile - q0) / (q1 - q0) * math.log(high / low)))


def bucket_pairs(bucket: tuple[int, int], num_experts: int, seed: int = 0) -> list[Pair]:
    """Pairs whose experts are spread evenly (log) over a bucket; replies equal to their expert are left out."""
    rng = random.Random(seed)
    low, high = bucket
    lengths = [round(low * (high / low) ** ((k + 0.5) / num_experts)) for k in range(num_experts)]
    return [pair for num_chars in lengths for pair in rollouts(rng, num_chars)[1:]]


def _repeated(text: str, num_chars: int) -> str:
    return (text * (num_chars // len(text) + 1))[:num_chars]


def _ladder(num_chars: int, step: str, mark: str) -> str:
    """Runs of growing length: as many different longest matches as fit."""
    runs = int(math.sqrt(2 * num_chars)) + 2
    return "".join(step * k + mark for k in range(1, runs))[:num_chars]


def _code(num_chars: int) -> str:
    return "".join(sources())[:num_chars]


def _random(num_chars: int, alphabet: str, seed: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=num_chars))


def _fibonacci(num_chars: int) -> str:
    shorter, longer = "a", "ab"
    while len(longer) < num_chars:
        shorter, longer = longer, longer + shorter
    return longer[:num_chars]


HOSTILE: dict[str, Callable[[int], Pair]] = {
    "aXaX against aYaY": lambda n: (_repeated("aX", n), _repeated("aY", n)),
    "ab against aab": lambda n: (_repeated("ab", n), _repeated("aab", n)),
    "lists of other items": lambda n: (_repeated("a, ", n), _repeated("b, ", n)),
    "json strings, digits against letters": lambda n: (_repeated('"0123", ', n), _repeated('"abcd", ', n)),
    "progress dots, newline against return": lambda n: (_repeated("." * 60 + "\n", n), _repeated("." * 60 + "\r", n)),
    "ladder, other marks": lambda n: (_ladder(n, "a", "b"), _ladder(n, "a", "c")),
    "ladder, reversed": lambda n: (_ladder(n, "a", "b"), _ladder(n, "a", "b")[::-1]),
    "ladder of periods": lambda n: (_ladder(n, "xy", "b"), _ladder(n, "xy", "c")),
    "one letter against code": lambda n: ("e" * n, _code(n)),
    "spaces against code": lambda n: (" " * n, _code(n)),
    "one letter, one more at the end": lambda n: ("a" * n, "a" * (n - 1) + "b"),
    "random binary": lambda n: (_random(n, "ab", 1), _random(n, "ab", 2)),
    "random ternary": lambda n: (_random(n, "abc", 1), _random(n, "abc", 2)),
    "fibonacci word, reversed and shifted": lambda n: (_fibonacci(n), _fibonacci(n + 7)[7:][::-1]),
}
"""Families of pairs, by length, that a quadratic or cubic matcher takes long for."""

_ALPHABETS: Sequence[str] = (
    "a",
    "ab",
    "abc",
    "abcdefgh",
    "ab \n",
    "\x00\x7f\x80\xff\u0100\u4e2d",
    "a\ud800\udfff\U0001f600\U0010ffff",
    "".join(map(chr, range(32, 127))),
    "".join(map(chr, range(0x3B0, 0x4F0))),
)


def random_pair(rng: random.Random) -> Pair:
    """A short pair over a small alphabet: random, periodic, or one text with pieces moved, deleted and inserted."""
    alphabet = rng.choice(_ALPHABETS)
    most = rng.choice((4, 12, 30, 30, 70)) if rng.random() < 0.96 else rng.choice((220, 330))
    expert = "".join(rng.choices(alphabet, k=rng.randint(0, most)))
    if rng.random() < 0.15:
        expert = _repeated(expert[: rng.randint(1, 6)] or "a", most)
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choices(alphabet, k=rng.randint(0, most))), expert
    reply = expert
    for _ in range(rng.randint(0, 5)):
        low, high = sorted((rng.randint(0, len(reply)), rng.randint(0, len(reply))))
        to = rng.randint(0, len(reply))
        moved = reply[low:high] if rng.random() < 0.5 else "".join(rng.choices(alphabet, k=rng.randint(0, 3)))
        reply = reply[:low] + reply[high:] if rng.random() < 0.5 else reply
        reply = (reply[:to] + moved + reply[to:])[: 2 * most]
    return reply, expert

"""Searches for pairs of texts that the compiled kernel takes long for, by mutating the slowest found so far.

    python benchmarks/reward_search.py --seconds 60 --chars 20000

A text is a list of segments: random over a small alphabet, periodic, a ladder of growing or shrinking runs, a recursive
word, or code; the reply's segments are the expert's, changed in a few places. Times are CPU time of the one thread.
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass, replace

from benchmarks.reward_inputs import sources
from srl_swe_envs.rewards import _gestalt

SHAPES = ("random", "periodic", "ladder", "falling", "fibonacci", "thue-morse", "code")
KEPT = 24
"""Slowest pairs that are mutated further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Some text of one shape."""

    shape: str
    letters: str
    mark: str
    num_chars: int
    seed: int


def random_segment(rng: random.Random) -> Segment:
    return Segment(
        shape=rng.choice(SHAPES),
        letters="".join(rng.choices("abcdefgh", k=rng.randint(1, 4))),
        mark=rng.choice("abxyz,\n"),
        num_chars=int(10 ** rng.uniform(1, 4.3)),
        seed=rng.randrange(100),
    )


def text_of(segment: Segment) -> str:
    rng, letters, size = random.Random(segment.seed), segment.letters, segment.num_chars
    match segment.shape:
        case "random":
            text = "".join(rng.choices(letters + segment.mark, k=size))
        case "periodic":
            text = letters * rng.randint(1, 30) + segment.mark
        case "ladder" | "falling":
            runs = range(1, int((2 * size / len(letters)) ** 0.5) + 2)
            text = "".join(letters * run + segment.mark for run in (runs if segment.shape == "ladder" else runs[::-1]))
        case "fibonacci":
            before, text = segment.mark, letters
            while len(text) < size:
                before, text = text, text + before
        case "thue-morse":
            text = "".join((letters, segment.mark)[k.bit_count() % 2] for k in range(size // len(letters) + 1))
        case _:
            text = "".join(sources()[segment.seed :])
    return (text * (size // len(text) + 1))[:size]


Genome = tuple[Segment, ...]


def mutated(rng: random.Random, genome: Genome) -> Genome:
    segments = list(genome)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(segments))
        change = rng.randrange(6)
        if change == 0:
            segments.insert(at, random_segment(rng))
        elif change == 1 and len(segments) > 1:
            del segments[at]
        elif change == 2:
            segments[at] = replace(segments[at], mark=rng.choice("abxyz,\n"))
        elif change == 3:
            segments[at] = replace(segments[at], num_chars=max(1, int(segments[at].num_chars * rng.uniform(0.3, 3))))
        elif change == 4:
            segments[at] = replace(segments[at], letters=random_segment(rng).letters, seed=rng.randrange(100))
        else:
            rng.shuffle(segments)
    return tuple(segments)


def rendered(genome: Genome, num_chars: int) -> str:
    text = "".join(map(text_of, genome))
    return (text * (num_chars // len(text) + 1))[:num_chars]


def milliseconds(action: str, expert: str, autojunk: bool) -> float:
    """The better of two runs."""
    times = []
    for _ in range(2):
        start = time.process_time()
        _gestalt.ratio(action, expert, autojunk)
        times.append(time.process_time() - start)
    return min(times) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds to search for")
    parser.add_argument("--chars", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, tried = random.Random(options.seed), 0
    slowest: list[tuple[float, int, Genome, Genome]] = []
    while time.process_time() < options.seconds:
        if len(slowest) < KEPT or rng.random() < 0.2:
            expert = tuple(random_segment(rng) for _ in range(rng.randint(1, 4)))
            action = mutated(rng, expert)
        else:
            _, _, action, expert = rng.choice(slowest)
            action, expert = (mutated(rng, action), expert) if rng.random() < 0.5 else (action, mutated(rng, expert))
        texts = rendered(action, options.chars), rendered(expert, options.chars)
        slowest.append((milliseconds(*texts, autojunk=tried % 8 == 0), tried, action, expert))
        slowest, tried = sorted(slowest, reverse=True)[:KEPT], tried + 1
    print(f"{tried} pairs of {options.chars} characters; the slowest took {slowest[0][0]:.1f} ms:")
    print(f"  action {slowest[0][2]}\n  expert {slowest[0][3]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

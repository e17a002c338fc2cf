"""Compares the kernels with difflib on random pairs: matching blocks and ratios, with and without autojunk.

    python benchmarks/reward_exactness.py --pairs 1000000

Every pair goes through the compiled kernel; every fourth through its suffix lists as well, every sixteenth through the
pure-Python kernel. Stops with the pair at the first difference.
"""

import argparse
import difflib
import random
import sys

from benchmarks.reward_inputs import random_pair
from srl_swe_envs.rewards import _gestalt, gestalt

Blocks = list[tuple[int, int, int]]


def merged(blocks: Blocks, len_a: int, len_b: int) -> Blocks:
    """Blocks as difflib gives them: adjacent ones merged, and the sentinel."""
    out: Blocks = []
    for i, j, size in blocks:
        if out and (out[-1][0] + out[-1][2], out[-1][1] + out[-1][2]) == (i, j):
            out[-1] = (*out[-1][:2], out[-1][2] + size)
        else:
            out.append((i, j, size))
    return [*out, (len_a, len_b, 0)]


def differences(action: str, expert: str, turn: int) -> list[str]:
    """Names of the kernels that differ from difflib on a pair."""
    found = []
    for autojunk in (False, True):
        matcher = difflib.SequenceMatcher(None, action, expert, autojunk=autojunk)
        expected = [tuple(block) for block in matcher.get_matching_blocks()], matcher.ratio()
        results = {"c": (_gestalt.blocks(action, expert, autojunk), _gestalt.ratio(action, expert, autojunk))}
        if turn % 4 == 0:
            lists = _gestalt.blocks(action, expert, autojunk, 0), _gestalt.ratio(action, expert, autojunk, 0)
            results["c, suffix lists"] = lists
        if turn % 16 == 0:
            results["python"] = gestalt.blocks(action, expert, autojunk), gestalt.ratio(action, expert, autojunk)
        for name, (blocks, ratio) in results.items():
            if (merged(blocks, len(action), len(expert)), ratio) != expected:
                found.append(f"{name}, autojunk={autojunk}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for turn in range(options.pairs):
        action, expert = random_pair(rng)
        found = differences(action, expert, turn)
        if found:
            print(f"pair {turn} of seed {options.seed}: {action!r}, {expert!r}: {'; '.join(found)}")
            return 1
    print(f"{options.pairs} pairs of seed {options.seed}: blocks and ratios equal difflib's, autojunk off and on")
    return 0


if __name__ == "__main__":
    sys.exit(main())

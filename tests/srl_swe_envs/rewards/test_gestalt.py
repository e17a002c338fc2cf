"""Every engine of both kernels against difflib."""

import difflib
import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reward_inputs import HOSTILE, random_pair, step_pairs
from srl_swe_envs.rewards import gestalt

ENGINES = {
    "python": gestalt.blocks,
    "python, names only": lambda a, b, autojunk: sorted(gestalt._blocks(a, b, autojunk, 0)),
    "python, bit sets only": lambda a, b, autojunk: sorted(gestalt._blocks(a, b, autojunk, 1 << 40)),
}
try:
    from srl_swe_envs.rewards import _gestalt
except ImportError:
    _gestalt = None
else:
    ENGINES |= {
        "c": _gestalt.blocks,
        "c, suffix lists only": lambda a, b, autojunk: _gestalt.blocks(a, b, autojunk, 0),
        "c, bit sets only": lambda a, b, autojunk: _gestalt.blocks(a, b, autojunk, 1 << 40),
    }

needs_c = pytest.mark.skipif(_gestalt is None, reason="the C kernel is not built")
engines = pytest.mark.parametrize("blocks", ENGINES.values(), ids=ENGINES)

TINY = st.text("ab", max_size=40)
SMALL = st.text("abc\n é\U0001f600", max_size=60)
ANY = st.text(st.characters(), max_size=60)
SURROGATES = st.text(st.sampled_from("a\ud800\udbff\udc00\udfff\U0010ffff\x00"), max_size=40)


def merged(blocks, a, b):
    out = []
    for i, j, size in blocks:
        if out and (out[-1][0] + out[-1][2], out[-1][1] + out[-1][2]) == (i, j):
            out[-1] = (*out[-1][:2], out[-1][2] + size)
        else:
            out.append((i, j, size))
    return [*out, (len(a), len(b), 0)]


def check(blocks, a, b, oracle=difflib):
    for autojunk in (False, True):
        expected = oracle.SequenceMatcher(None, a, b, autojunk=autojunk)
        assert merged(blocks(a, b, autojunk), a, b) == [tuple(block) for block in expected.get_matching_blocks()]


def near_copy(rng, text):
    """Pieces of a text moved, deleted and inserted."""
    for _ in range(rng.randint(0, 6)):
        low, high = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        text = rng.choice((text[:low] + text[high:], text[high:] + text[:high], text[:high] + text[low:]))[:500]
    return text


@engines
@pytest.mark.parametrize("strategy", [TINY, SMALL, ANY, SURROGATES], ids=["tiny", "small", "any", "surrogates"])
def test_blocks_are_those_of_difflib(blocks, strategy):
    @settings(max_examples=150, deadline=None)
    @given(strategy, strategy)
    def holds(a, b):
        check(blocks, a, b)

    holds()


@engines
def test_blocks_are_those_of_difflib_for_all_short_strings(blocks):
    texts = ["".join(letters) for size in range(6) for letters in itertools.product("ab", repeat=size)]
    for a, b in itertools.product(texts, repeat=2):
        check(blocks, a, b)


@engines
def test_blocks_are_those_of_difflib_where_autojunk_drops_elements(blocks):
    rng = random.Random(2)
    dropped = 0
    for size in range(195, 330, 5):
        b = "".join(rng.choices("ab" if size % 2 else "abcdefghij" * 9 + "uvwxyz", k=size))
        check(blocks, near_copy(rng, b), b)
        dropped += bool(difflib.SequenceMatcher(None, "", b).bpopular)
    assert dropped > 20


@engines
@pytest.mark.parametrize("family", HOSTILE)
def test_blocks_are_those_of_difflib_for_hostile_text(blocks, family):
    check(blocks, *HOSTILE[family](230))


@engines
@pytest.mark.parametrize(
    "pair", [("", ""), ("", "a"), ("a", ""), ("a", "a"), ("a", "b"), ("aa", "a"), ("\ud800", "\ud800")]
)
def test_blocks_are_those_of_difflib_at_the_edges(blocks, pair):
    check(blocks, *pair)


@engines
def test_blocks_of_long_actions_are_those_of_cydifflib(blocks):
    cydifflib = pytest.importorskip("cydifflib")
    pairs = [pair for pair in step_pairs(256) if 1_000 < len(pair[1]) < 6_000][::6]
    assert len(pairs) > 5
    for a, b in pairs:
        check(blocks, a, b, cydifflib)


@needs_c
def test_the_kernels_agree_on_random_pairs():
    rng = random.Random(5)
    for _ in range(1_500):
        a, b = random_pair(rng)
        check(_gestalt.blocks, a, b)
        for autojunk in (False, True):
            assert _gestalt.ratio(a, b, autojunk) == gestalt.ratio(a, b, autojunk)


@needs_c
@pytest.mark.parametrize("family", HOSTILE)
def test_the_kernels_agree_on_long_hostile_text(family):
    a, b = HOSTILE[family](3_000)
    for autojunk in (False, True):
        assert _gestalt.blocks(a, b, autojunk) == gestalt.blocks(a, b, autojunk)


@needs_c
@pytest.mark.parametrize("family", HOSTILE)
def test_the_c_kernel_ends_on_hostile_text_of_any_size(family):
    a, b = HOSTILE[family](50_000)
    blocks = _gestalt.blocks(a, b, False)
    assert all(a[i : i + size] == b[j : j + size] for i, j, size in blocks)
    assert all(i + size <= k and j + size <= m for (i, j, size), (k, m, _) in itertools.pairwise(blocks))
    assert _gestalt.ratio(a, b, False) == 2.0 * sum(size for _, _, size in blocks) / (len(a) + len(b)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("family", HOSTILE)
def test_the_python_kernel_ends_on_hostile_text(family):
    a, b = HOSTILE[family](20_000)
    blocks = gestalt.blocks(a, b)
    assert gestalt.ratio(a, b) == 2.0 * sum(size for _, _, size in blocks) / (len(a) + len(b)) > 0


@needs_c
@pytest.mark.parametrize("greatest", [1, 255, 0x10FFFF, 0x110000, 0xFFFFFFFF])
def test_the_c_kernel_takes_any_uint32(greatest):
    rng = random.Random(greatest)
    values = [0, greatest, greatest // 2, max(0, greatest - 1)]
    for _ in range(100):
        a, b = (rng.choices(values, k=rng.randint(0, 300)) for _ in range(2))
        for autojunk in (False, True):
            blocks = _gestalt.blocks(np.array(a, np.uint32), np.array(b, np.uint32), autojunk)
            assert blocks == gestalt.blocks(a, b, autojunk)


@needs_c
@pytest.mark.parametrize("wrong", [b"ab", 3, np.array([1.0]), np.zeros(4, np.uint32)[::2], [1, 2]])
def test_the_c_kernel_refuses_what_is_no_sequence_of_its(wrong):
    with pytest.raises((TypeError, ValueError, BufferError)):
        _gestalt.ratio(wrong, "ab", False)
    with pytest.raises((TypeError, ValueError, BufferError)):
        _gestalt.ratios(("ab", "ab"), ("ab", wrong), np.empty(2), False, 2)

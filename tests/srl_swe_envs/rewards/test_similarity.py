import difflib
import random
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reward_inputs import HOSTILE, random_pair, step_pairs
from srl_swe_envs.rewards import MatchingBlock, kernel_name, matching_blocks, similarity, similarity_batch
from srl_swe_envs.rewards.similarity import token_similarity, token_similarity_batch

MODES = pytest.mark.parametrize("autojunk", [False, True])
TOKENS = st.lists(st.sampled_from(["a", "b", ("c", 1), 2, None, "a b"]), max_size=40)


def reference(a, b, autojunk=False):
    return difflib.SequenceMatcher(None, a, b, autojunk=autojunk).ratio()


@given(st.text("ab\U0001f600", max_size=300), st.text("ab\U0001f600", max_size=300), st.booleans())
def test_similarity_is_the_ratio_of_difflib(a, b, autojunk):
    assert similarity(a, b, autojunk=autojunk) == reference(a, b, autojunk)


def test_similarity_leaves_autojunk_off():
    expert = "0123456789abcdef" * 90
    action = "#" + expert[1:]
    assert similarity(action, expert) == reference(action, expert) > 0.99
    assert similarity(action, expert, autojunk=True) == difflib.SequenceMatcher(None, action, expert).ratio() < 0.01


def test_similarity_depends_on_the_order_as_difflib_does():
    a, b = "abcab", "bcabc" * 3 + "ab"
    assert (similarity(a, b), similarity(b, a)) == (reference(a, b), reference(b, a))


@MODES
@pytest.mark.parametrize("num_threads", [None, 1, 3])
def test_a_batch_has_the_similarities_of_its_pairs(autojunk, num_threads):
    pairs = [random_pair(random.Random(seed)) for seed in range(300)]
    pairs += pairs[:50] + [pair for pair in step_pairs(64) if len(pair[1]) < 3_000]
    actions, experts = zip(*pairs, strict=True)
    values = similarity_batch(actions, experts, autojunk=autojunk, num_threads=num_threads)
    assert values.dtype == np.float64
    assert values.tolist() == [similarity(a, b, autojunk=autojunk) for a, b in pairs]


def test_a_batch_may_share_one_expert():
    actions = ["ls", "ls -la", "", "ls"]
    assert similarity_batch(actions, "ls -l").tolist() == [similarity(action, "ls -l") for action in actions]


def test_an_empty_batch_has_no_values():
    assert similarity_batch([], "ls").shape == similarity_batch([], []).shape == (0,)


def test_a_batch_needs_one_expert_or_one_for_each_action():
    with pytest.raises(ValueError, match="2 actions but 1 experts"):
        similarity_batch(["a", "b"], ["a"])


@given(st.text("abc", max_size=250), st.text("abc", max_size=250), st.booleans())
def test_matching_blocks_are_those_of_difflib(a, b, autojunk):
    expected = difflib.SequenceMatcher(None, a, b, autojunk=autojunk).get_matching_blocks()
    assert matching_blocks(a, b, autojunk=autojunk) == tuple(expected)


def test_matching_blocks_merge_neighbours_and_end_with_the_sentinel():
    assert matching_blocks("abxcd", "abcd") == (MatchingBlock(0, 0, 2), MatchingBlock(3, 2, 2), MatchingBlock(5, 4, 0))
    # found as "ab" and then, left of it, "b"; one block to the caller
    assert matching_blocks("bab", "bab") == (MatchingBlock(0, 0, 3), MatchingBlock(3, 3, 0))


@given(TOKENS, TOKENS, st.booleans())
def test_tokens_are_compared_as_difflib_compares_lists(a, b, autojunk):
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=autojunk)
    assert token_similarity(a, b, autojunk=autojunk) == matcher.ratio()
    assert matching_blocks(a, b, autojunk=autojunk) == tuple(matcher.get_matching_blocks())


def test_token_ids_are_compared_as_they_are():
    a, b = (np.array(ids, dtype=np.uint32) for ids in ([5, 6, 7, 2**32 - 1], [6, 7, 5, 2**32 - 1]))
    assert token_similarity(a, b) == token_similarity(a.tolist(), b) == reference(a.tolist(), b.tolist())
    assert token_similarity(np.repeat(a, 2)[::2], b) == token_similarity(a, b)


@MODES
def test_a_batch_of_tokens_has_the_similarities_of_its_pairs(autojunk):
    rng = random.Random(1)
    pairs = [[rng.choices("abcd", k=rng.randint(0, 250)) for _ in range(2)] for _ in range(40)]
    actions, experts = zip(*pairs, strict=True)
    values = token_similarity_batch(actions, experts, autojunk=autojunk)
    assert values.tolist() == [reference(a, b, autojunk) for a, b in pairs]
    with pytest.raises(ValueError, match="40 actions but 1 experts"):
        token_similarity_batch(actions, experts[:1])


def test_the_kernel_says_its_name():
    assert kernel_name() in ("c", "python")


@pytest.mark.skipif(kernel_name() != "c", reason="the C kernel is not built")
def test_other_threads_run_while_a_batch_is_scored():
    actions, experts = zip(*(pair for family in HOSTILE.values() for pair in [family(20_000)]), strict=True)
    turns, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            turns[0] += 1
            time.sleep(0)  # gives the interpreter's lock away

    interval = sys.getswitchinterval()
    counter = threading.Thread(target=count)
    sys.setswitchinterval(1_000)  # from here on a thread loses the lock only by giving it away
    try:
        counter.start()
        before = turns[0]
        similarity_batch(actions, experts)
        assert turns[0] > before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        counter.join()

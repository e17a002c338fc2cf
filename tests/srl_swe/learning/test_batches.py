"""Batches are a pure function of seed and step number, and an epoch sees every step once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from srl_swe.learning.batches import StepId, StepOrder, by_trunk

COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any).map(tuple)


@given(counts=COUNTS, cap=st.integers(1, 4), seed=st.integers(0, 99), size=st.integers(1, 9))
def test_consecutive_batches_see_every_step_once_per_epoch(
    counts: tuple[int, ...], cap: int, seed: int, size: int
) -> None:
    order = StepOrder(target_counts=counts, cap=cap, seed=seed)
    epochs = min(size, order.size)  # a batch is never more than one
    batches = [order.batch(number, size) for number in range(order.size)]
    assert order.batches(epochs, size) == len(batches)
    assert Counter(step for batch in batches for step in batch) == Counter(
        {StepId(trunk=t, target=k): epochs for t, count in enumerate(counts) for k in range(count)}
    )


@given(counts=COUNTS, seed=st.integers(0, 99), number=st.integers(0, 50))
def test_a_batch_does_not_depend_on_what_was_asked_before(counts: tuple[int, ...], seed: int, number: int) -> None:
    first = StepOrder(target_counts=counts, cap=2, seed=seed)
    second = StepOrder(target_counts=counts, cap=2, seed=seed)
    second.batch(number + 7, 3)
    assert first.batch(number, 5) == second.batch(number, 5)


def test_another_seed_gives_another_order() -> None:
    orders = [StepOrder(target_counts=(8, 8, 8), cap=2, seed=seed).batch(0, 24) for seed in (0, 1)]
    assert orders[0] != orders[1]


@given(counts=COUNTS, count=st.integers(1, 20))
def test_a_refill_never_repeats_a_step_and_prefers_trunks_in_the_batch(counts: tuple[int, ...], count: int) -> None:
    order = StepOrder(target_counts=counts, cap=2, seed=0)
    used = set(order.batch(0, 2))
    more = order.refill(0, 0, count, used)
    assert len(set(more)) == len(more)
    assert not used & set(more)
    assert len(more) == min(count, order.size - len(used))
    near = [step.trunk in by_trunk(used) for step in more]
    assert near == sorted(near, reverse=True)

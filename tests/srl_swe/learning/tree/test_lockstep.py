"""Ranks that share one sharded model forward at the same times, whatever each has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srl_swe.learning.flat import flat_loss_backward
from srl_swe.learning.tree import LossConfig, Normaliser, loss_backward, prepare
from srl_swe.learning.tree.lockstep import filled, merged
from tests.srl_swe.learning.tree.models import make_model, make_tree


@settings(max_examples=100, deadline=None)
@given(ranks=st.lists(st.lists(st.booleans(), max_size=9), min_size=1, max_size=4))
def test_every_rank_goes_through_the_same_schedule_and_takes_each_of_its_own_turns_once(
    ranks: list[list[bool]],
) -> None:
    schedule = merged(ranks)
    for mine in ranks:
        went: list[bool] = []
        with filled(schedule, went.append) as turn:
            for own in mine:
                turn(own)
                went.append(own)
        assert tuple(went) == schedule
    assert len(schedule) <= sum(map(len, ranks))
    assert merged([ranks[0], ranks[0]]) == tuple(ranks[0])


def test_a_rank_that_fails_does_not_fill_in() -> None:
    went: list[bool] = []

    def broken() -> None:
        with filled((True, True), went.append) as turn:
            turn(True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not went


@pytest.mark.parametrize("learn", [loss_backward, flat_loss_backward])
@pytest.mark.parametrize("max_tokens", [33, 7, 1000])
def test_the_turns_that_are_announced_are_those_that_are_taken(learn: Callable[..., object], max_tokens: int) -> None:
    announced: list[bool] = []
    taken: list[bool] = []

    @contextmanager
    def lockstep(turns: Sequence[bool]) -> Iterator[Callable[[bool], None]]:
        announced.extend(turns)
        yield taken.append

    model = make_model("qwen2")
    prepare(model)
    trees = [make_tree(seed=1, suffix=2), make_tree(seed=2, trunk=20, ends=(5, 20))]
    forwards = []
    model.register_forward_hook(lambda *_: forwards.append(1))
    normaliser = Normaliser.of(trees)
    learn(model, trees, loss=LossConfig(), normaliser=normaliser, max_tokens=max_tokens, lockstep=lockstep)
    assert taken == announced
    assert len(forwards) == len(taken) > 0

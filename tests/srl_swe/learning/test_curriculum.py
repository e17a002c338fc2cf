"""The bridge's curriculum moves only on success, one turn at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srl_swe.learning.curriculum import Curriculum
from srl_swe.learning.settings import BridgeSettings

SETTINGS = BridgeSettings(first_turns=2, raise_at=0.5, window=4)


def test_episodes_first_leave_the_last_turns_to_the_model() -> None:
    first = Curriculum.first(SETTINGS)
    assert [first.step(turns) for turns in (8, 2, 1, 0)] == [6, 0, 0, 0]


def test_a_full_window_of_success_moves_the_start_by_one_turn_and_begins_anew() -> None:
    moved = Curriculum.first(SETTINGS).after([1.0, 0.0, 0.5, 0.5])
    assert (moved.turns, moved.recent, moved.step(8)) == (3, (), 5)


def test_nothing_moves_before_the_window_is_full_or_below_the_threshold() -> None:
    few = Curriculum.first(SETTINGS).after([1.0, 1.0, 1.0])
    assert few.turns == 2
    assert few.after([0.0, 0.0, 0.0]).turns == 2


@given(st.lists(st.lists(st.floats(0, 1), max_size=6), max_size=8))
def test_turns_never_fall_and_rise_by_one_at_most(updates: list[list[float]]) -> None:
    now = Curriculum.first(SETTINGS)
    for successes in updates:
        later = now.after(successes)
        assert now.turns <= later.turns <= now.turns + 1
        assert len(later.recent) <= SETTINGS.window
        now = later

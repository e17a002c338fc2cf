import pytest

from heapline import Scheduler


def test_jobs_run_in_order():
    scheduler = Scheduler()
    scheduler.at(5, "late")
    scheduler.at(2, "early")
    assert scheduler.advance(10) == [(2, "early"), (5, "late")]


def test_jobs_wait_for_their_time():
    scheduler = Scheduler()
    scheduler.at(5, "job")
    assert scheduler.advance(4) == []
    assert scheduler.advance(1) == [(5, "job")]
    assert scheduler.now == 5


def test_past_times_are_refused():
    scheduler = Scheduler(10)
    with pytest.raises(ValueError, match="past"):
        scheduler.at(9, "job")


def test_the_present_is_not_past():
    scheduler = Scheduler(10)
    scheduler.at(10, "job")
    assert scheduler.advance(0) == [(10, "job")]


def test_after_counts_from_now():
    scheduler = Scheduler(3)
    scheduler.after(4, "job")
    assert scheduler.next_time() == 7


def test_every_repeats():
    scheduler = Scheduler(1)
    scheduler.every(3, "tick")
    assert scheduler.advance(9) == [(4, "tick"), (7, "tick"), (10, "tick")]
    assert scheduler.next_time() == 13


def test_every_needs_a_period():
    scheduler = Scheduler()
    with pytest.raises(ValueError, match="at least 1"):
        scheduler.every(0, "tick")


def test_every_second_is_allowed():
    scheduler = Scheduler()
    scheduler.every(1, "tick")
    assert scheduler.advance(2) == [(1, "tick"), (2, "tick")]


def test_cancel_drops_runs():
    scheduler = Scheduler()
    scheduler.every(2, "tick")
    scheduler.at(3, "job")
    scheduler.cancel("tick")
    assert scheduler.advance(6) == [(3, "job")]
    assert scheduler.next_time() is None


def test_next_time_of_nothing():
    assert Scheduler().next_time() is None


def test_jobs_run_once():
    scheduler = Scheduler()
    scheduler.at(1, "job")
    assert scheduler.advance(1) == [(1, "job")]
    assert scheduler.advance(5) == []

from lrucache import memoize
from lrucache.memo import make_key


def test_memoize_calls_once():
    calls = []

    @memoize()
    def square(value):
        calls.append(value)
        return value * value

    assert [square(3), square(3), square(4)] == [9, 9, 16]
    assert calls == [3, 4]


def test_memoize_forgets_old_results():
    calls = []

    @memoize(1)
    def double(value):
        calls.append(value)
        return 2 * value

    assert [double(1), double(2), double(1)] == [2, 4, 2]
    assert calls == [1, 2, 1]


def test_memoize_passes_keywords():
    @memoize(4)
    def power(base, *, exponent=2):
        return base**exponent

    assert power(3) == 9
    assert power(3, exponent=3) == 27
    assert len(power.cache) == 2


def test_memoize_remembers_none():
    calls = []

    @memoize(4)
    def nothing():
        calls.append(1)

    assert nothing() is None
    assert nothing() is None
    assert calls == [1]


def test_make_key_sorts_keywords():
    assert make_key((1,), {"b": 2, "a": 3}) == ((1,), (("a", 3), ("b", 2)))

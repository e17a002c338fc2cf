import pytest

from lrucache import LRUCache


def test_get_returns_what_was_put():
    cache = LRUCache(2)
    cache.put("a", 1)
    assert cache.get("a") == 1


def test_get_of_unknown_is_the_default():
    cache = LRUCache(2)
    assert cache.get("a") is None
    assert cache.get("a", 7) == 7


def test_put_over_capacity_evicts_the_oldest():
    cache = LRUCache(2)
    assert cache.put("a", 1) is None
    assert cache.put("b", 2) is None
    assert cache.put("c", 3) == "a"
    assert list(cache) == ["b", "c"]


def test_get_counts_as_a_use():
    cache = LRUCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    assert cache.put("c", 3) == "b"


def test_peek_does_not_count_as_a_use():
    cache = LRUCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.peek("a") == 1
    assert cache.put("c", 3) == "a"


def test_peek_of_unknown_is_the_default():
    cache = LRUCache(1)
    assert cache.peek("a", 5) == 5


def test_put_again_replaces_and_refreshes():
    cache = LRUCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.put("a", 9) is None
    assert list(cache) == ["b", "a"]
    assert cache.peek("a") == 9


def test_capacity_one_is_allowed():
    cache = LRUCache(1)
    cache.put("a", 1)
    assert cache.put("b", 2) == "a"
    assert len(cache) == 1


def test_capacity_zero_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        LRUCache(0)


def test_touch_moves_to_the_end():
    cache = LRUCache(3)
    for key in "abc":
        cache.put(key, key)
    cache.touch("a")
    assert list(cache) == ["b", "c", "a"]


def test_evict_gives_the_oldest():
    cache = LRUCache(3)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.evict() == "a"
    assert list(cache) == ["b"]


def test_evict_of_empty_is_an_error():
    cache = LRUCache(1)
    with pytest.raises(KeyError, match="empty"):
        cache.evict()


def test_resize_drops_the_oldest_first():
    cache = LRUCache(4)
    for key in "abcd":
        cache.put(key, key)
    assert cache.resize(2) == ["a", "b"]
    assert cache.capacity == 2


def test_resize_upwards_drops_nothing():
    cache = LRUCache(1)
    cache.put("a", 1)
    assert cache.resize(2) == []
    assert cache.put("b", 2) is None


def test_resize_to_one_and_zero():
    cache = LRUCache(2)
    assert cache.resize(1) == []
    with pytest.raises(ValueError, match="at least 1"):
        cache.resize(0)


def test_hit_rate_counts_lookups():
    cache = LRUCache(2)
    assert cache.hit_rate() == 0.0
    cache.put("a", 1)
    cache.get("a")
    cache.get("b")
    cache.get("c")
    cache.get("d")
    assert cache.hit_rate() == 0.25
    assert (cache.hits, cache.misses) == (1, 3)

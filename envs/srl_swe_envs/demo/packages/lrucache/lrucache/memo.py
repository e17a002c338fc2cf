"""Remember the results of a function."""

from collections.abc import Callable
from typing import Any

from lrucache.cache import LRUCache

MISSING = object()


def make_key(args: tuple, kwargs: dict[str, Any]) -> tuple:
    """One hashable key for a call; keyword order does not matter."""
    return args, tuple(sorted(kwargs.items()))


def memoize(capacity: int = 128) -> Callable:
    """Decorator that keeps the last ``capacity`` results."""

    def decorate(function: Callable) -> Callable:
        cache = LRUCache(capacity)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            key = make_key(args, kwargs)
            value = cache.get(key, MISSING)
            if value is MISSING:
                value = function(*args, **kwargs)
                cache.put(key, value)
            return value

        wrapper.cache = cache
        return wrapper

    return decorate

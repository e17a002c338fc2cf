"""The cache, over a dictionary that keeps the order of use."""

from collections.abc import Hashable, Iterator
from typing import Any


class LRUCache:
    """Holds at most ``capacity`` entries; the oldest in use goes first."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.entries: dict[Hashable, Any] = {}
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.entries)

    def touch(self, key: Hashable) -> None:
        """Mark an entry as the most recently used one."""
        self.entries[key] = self.entries.pop(key)

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The value of ``key``, which counts as a use, or the default."""
        if key not in self.entries:
            self.misses += 1
            return default
        self.hits += 1
        self.touch(key)
        return self.entries[key]

    def peek(self, key: Hashable, default: Any = None) -> Any:
        """The value of ``key`` without counting a use."""
        return self.entries.get(key, default)

    def put(self, key: Hashable, value: Any) -> Hashable | None:
        """Store a value and give the key that had to leave, if any."""
        self.entries.pop(key, None)
        self.entries[key] = value
        if len(self.entries) > self.capacity:
            return self.evict()
        return None

    def evict(self) -> Hashable:
        """Drop the least recently used entry and give its key."""
        if not self.entries:
            raise KeyError("cache is empty")
        oldest = next(iter(self.entries))
        del self.entries[oldest]
        return oldest

    def resize(self, capacity: int) -> list[Hashable]:
        """Change the capacity; gives the keys that had to leave, oldest first."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        dropped = []
        while len(self.entries) > capacity:
            dropped.append(self.evict())
        return dropped

    def hit_rate(self) -> float:
        """Share of the lookups that found something, 0.0 before the first."""
        lookups = self.hits + self.misses
        if lookups == 0:
            return 0.0
        return self.hits / lookups

"""A cache that forgets the least recently used entry."""

from lrucache.cache import LRUCache
from lrucache.memo import memoize

__all__ = ["LRUCache", "memoize"]

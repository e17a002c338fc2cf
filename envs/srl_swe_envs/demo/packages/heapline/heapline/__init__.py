"""A priority queue and a small scheduler on top of it."""

from heapline.heap import Heap
from heapline.scheduler import Scheduler

__all__ = ["Heap", "Scheduler"]

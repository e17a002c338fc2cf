"""A binary heap; the smallest priority leaves first, equal ones in order of arrival."""

from typing import Any


class Heap:
    """Items with priorities."""

    def __init__(self) -> None:
        self.slots: list[tuple[int, int, Any]] = []
        self.arrivals = 0

    def __len__(self) -> int:
        return len(self.slots)

    def push(self, item: Any, priority: int) -> None:
        """Add an item."""
        self.slots.append((priority, self.arrivals, item))
        self.arrivals += 1
        self.rise(len(self.slots) - 1)

    def pop(self) -> Any:
        """Remove and give the item that is first in line."""
        if not self.slots:
            raise IndexError("heap is empty")
        top = self.slots[0]
        last = self.slots.pop()
        if self.slots:
            self.slots[0] = last
            self.sink(0)
        return top[2]

    def peek(self) -> Any:
        """The item that is first in line."""
        if not self.slots:
            raise IndexError("heap is empty")
        return self.slots[0][2]

    def before(self, first: int, second: int) -> bool:
        """Whether the first slot goes before the second."""
        return self.slots[first][:2] < self.slots[second][:2]

    def swap(self, first: int, second: int) -> None:
        """Exchange two slots."""
        self.slots[first], self.slots[second] = self.slots[second], self.slots[first]

    def rise(self, slot: int) -> None:
        """Move a slot up until its parent goes before it."""
        while slot > 0:
            parent = (slot - 1) // 2
            if not self.before(slot, parent):
                break
            self.swap(slot, parent)
            slot = parent

    def sink(self, slot: int) -> None:
        """Move a slot down until it goes before its children."""
        while True:
            first = slot
            for child in (2 * slot + 1, 2 * slot + 2):
                if child < len(self.slots) and self.before(child, first):
                    first = child
            if first == slot:
                break
            self.swap(slot, first)
            slot = first

    def update(self, item: Any, priority: int) -> bool:
        """Give an item a new priority; False when it is not there."""
        for slot, (_, arrival, held) in enumerate(self.slots):
            if held == item:
                self.slots[slot] = (priority, arrival, item)
                self.rise(slot)
                self.sink(slot)
                return True
        return False

    def drain(self, limit: int | None = None) -> list:
        """Pop up to ``limit`` items, or all."""
        count = len(self.slots) if limit is None else min(limit, len(self.slots))
        return [self.pop() for _ in range(count)]

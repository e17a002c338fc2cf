"""Quantities on hand and reserved, by item name."""


class OutOfStock(Exception):
    """Raised when more is asked for than is available."""


class Inventory:
    """Counts goods; reserved goods are on hand but not available."""

    def __init__(self) -> None:
        self.on_hand: dict[str, int] = {}
        self.reserved: dict[str, int] = {}

    def receive(self, name: str, count: int) -> int:
        """Add ``count`` pieces and give the new quantity on hand."""
        if count <= 0:
            raise ValueError("count must be positive")
        self.on_hand[name] = self.on_hand.get(name, 0) + count
        return self.on_hand[name]

    def available(self, name: str) -> int:
        """Pieces on hand that nobody has reserved."""
        return self.on_hand.get(name, 0) - self.reserved.get(name, 0)

    def reserve(self, name: str, count: int) -> int:
        """Set ``count`` pieces aside and give what is still available."""
        if count > self.available(name):
            raise OutOfStock(f"only {self.available(name)} of {name}")
        self.reserved[name] = self.reserved.get(name, 0) + count
        return self.available(name)

    def release(self, name: str, count: int) -> None:
        """Give up a reservation, at most what is reserved."""
        held = self.reserved.get(name, 0)
        left = held - min(count, held)
        if left:
            self.reserved[name] = left
        else:
            self.reserved.pop(name, None)

    def ship(self, name: str, count: int) -> int:
        """Send reserved pieces out and give the quantity left on hand."""
        if count > self.reserved.get(name, 0):
            raise OutOfStock(f"{name} is not reserved")
        self.release(name, count)
        self.on_hand[name] -= count
        return self.on_hand[name]

    def move(self, other: "Inventory", name: str, count: int) -> None:
        """Move available pieces to another stockroom."""
        if count > self.available(name):
            raise OutOfStock(f"cannot move {count} of {name}")
        self.on_hand[name] -= count
        other.receive(name, count)

    def below(self, limit: int) -> list[str]:
        """Names with fewer than ``limit`` available pieces, scarcest first."""
        names = [name for name in self.on_hand if self.available(name) < limit]
        return sorted(names, key=lambda name: (self.available(name), name))

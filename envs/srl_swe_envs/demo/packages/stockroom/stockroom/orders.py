"""Orders against an inventory, prices in cents."""

from dataclasses import dataclass

from stockroom.inventory import Inventory

BULK_COUNT = 10
BULK_PERCENT = 5


@dataclass(frozen=True)
class Order:
    """One order line."""

    name: str
    count: int
    unit_cents: int

    def cents(self) -> int:
        """Price of the line; large counts get a discount, rounded in the buyer's favour."""
        full = self.count * self.unit_cents
        if self.count >= BULK_COUNT:
            return full - -(-full * BULK_PERCENT // 100)
        return full


def total_price(orders: list[Order], shipping_cents: int = 490, free_from_cents: int = 5000) -> int:
    """Sum of the lines plus shipping, which is free from a given sum on."""
    if not orders:
        return 0
    goods = sum(order.cents() for order in orders)
    if goods >= free_from_cents:
        return goods
    return goods + shipping_cents


def can_fulfil(inventory: Inventory, orders: list[Order]) -> bool:
    """Whether all lines together can be reserved."""
    needed: dict[str, int] = {}
    for order in orders:
        needed[order.name] = needed.get(order.name, 0) + order.count
    return all(inventory.available(name) >= count for name, count in needed.items())


def reorder_list(inventory: Inventory, minimum: int, target: int) -> dict[str, int]:
    """How many to buy of each scarce item to get back to ``target``."""
    if target < minimum:
        raise ValueError("target is below minimum")
    return {name: target - inventory.available(name) for name in inventory.below(minimum)}

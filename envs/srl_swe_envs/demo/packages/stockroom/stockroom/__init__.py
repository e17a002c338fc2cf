"""Keep count of the goods in a stockroom."""

from stockroom.inventory import Inventory, OutOfStock
from stockroom.orders import Order, reorder_list, total_price

__all__ = ["Inventory", "Order", "OutOfStock", "reorder_list", "total_price"]

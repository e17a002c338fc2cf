import pytest

from stockroom import Inventory, Order, reorder_list, total_price
from stockroom.orders import can_fulfil


def test_cents_of_a_small_order():
    assert Order("bolt", 9, 25).cents() == 225


def test_cents_of_a_bulk_order():
    assert Order("bolt", 10, 20).cents() == 190
    assert Order("bolt", 20, 100).cents() == 1900


def test_discount_is_rounded_for_the_buyer():
    assert Order("bolt", 11, 3).cents() == 31


def test_total_price_adds_shipping():
    assert total_price([Order("nut", 1, 1000), Order("bolt", 2, 300)]) == 2090


def test_total_price_without_shipping():
    assert total_price([Order("nut", 5, 1000)]) == 5000
    assert total_price([Order("nut", 5, 999)]) == 5485


def test_total_price_of_nothing():
    assert total_price([]) == 0


def test_total_price_with_own_shipping():
    assert total_price([Order("nut", 1, 100)], shipping_cents=50) == 150
    assert total_price([Order("nut", 1, 100)], free_from_cents=100) == 100


def test_can_fulfil_sums_lines():
    inventory = Inventory()
    inventory.receive("nut", 5)
    assert can_fulfil(inventory, [Order("nut", 2, 1), Order("nut", 3, 1)])
    assert not can_fulfil(inventory, [Order("nut", 3, 1), Order("nut", 3, 1)])


def test_can_fulfil_needs_every_item():
    inventory = Inventory()
    inventory.receive("nut", 5)
    assert not can_fulfil(inventory, [Order("nut", 1, 1), Order("gear", 1, 1)])


def test_reorder_list_fills_up():
    inventory = Inventory()
    inventory.receive("nut", 2)
    inventory.receive("bolt", 9)
    inventory.receive("gear", 5)
    inventory.reserve("gear", 2)
    assert reorder_list(inventory, 4, 12) == {"nut": 10, "gear": 9}


def test_reorder_list_refuses_a_low_target():
    with pytest.raises(ValueError, match="below minimum"):
        reorder_list(Inventory(), 5, 4)


def test_reorder_list_accepts_an_equal_target():
    inventory = Inventory()
    inventory.receive("nut", 3)
    assert reorder_list(inventory, 5, 5) == {"nut": 2}

import pytest

from stockroom import Inventory, OutOfStock


def filled() -> Inventory:
    inventory = Inventory()
    inventory.receive("bolt", 10)
    inventory.receive("nut", 4)
    return inventory


def test_receive_adds_up():
    inventory = Inventory()
    assert inventory.receive("bolt", 3) == 3
    assert inventory.receive("bolt", 2) == 5


def test_receive_refuses_nothing():
    inventory = Inventory()
    with pytest.raises(ValueError, match="positive"):
        inventory.receive("bolt", 0)


def test_receive_accepts_one():
    inventory = Inventory()
    assert inventory.receive("bolt", 1) == 1


def test_available_of_unknown_is_zero():
    inventory = Inventory()
    assert inventory.available("bolt") == 0


def test_reserve_lowers_available():
    inventory = filled()
    assert inventory.reserve("bolt", 4) == 6
    assert inventory.reserve("bolt", 1) == 5
    assert inventory.on_hand["bolt"] == 10


def test_reserve_may_take_everything():
    inventory = filled()
    assert inventory.reserve("nut", 4) == 0


def test_reserve_refuses_too_many():
    inventory = filled()
    with pytest.raises(OutOfStock, match="only 4 of nut"):
        inventory.reserve("nut", 5)


def test_release_gives_back():
    inventory = filled()
    inventory.reserve("bolt", 6)
    inventory.release("bolt", 2)
    assert inventory.available("bolt") == 6


def test_release_of_too_many_gives_back_all():
    inventory = filled()
    inventory.reserve("nut", 2)
    inventory.release("nut", 9)
    assert inventory.available("nut") == 4
    assert inventory.reserved == {}


def test_release_of_the_unreserved_does_nothing():
    inventory = filled()
    inventory.release("nut", 1)
    assert inventory.available("nut") == 4


def test_ship_takes_reserved_pieces():
    inventory = filled()
    inventory.reserve("bolt", 5)
    assert inventory.ship("bolt", 3) == 7
    assert inventory.available("bolt") == 5


def test_ship_refuses_the_unreserved():
    inventory = filled()
    inventory.reserve("bolt", 2)
    with pytest.raises(OutOfStock, match="bolt is not reserved"):
        inventory.ship("bolt", 3)


def test_ship_may_send_all_reserved():
    inventory = filled()
    inventory.reserve("nut", 4)
    assert inventory.ship("nut", 4) == 0


def test_move_changes_both():
    here, there = filled(), Inventory()
    here.move(there, "bolt", 10)
    assert here.available("bolt") == 0
    assert there.available("bolt") == 10


def test_move_leaves_reserved_pieces():
    here, there = filled(), Inventory()
    here.reserve("nut", 2)
    with pytest.raises(OutOfStock, match="cannot move 3 of nut"):
        here.move(there, "nut", 3)


def test_below_sorts_by_scarcity():
    inventory = filled()
    inventory.receive("axle", 4)
    inventory.receive("gear", 1)
    assert inventory.below(5) == ["gear", "axle", "nut"]
    assert inventory.below(4) == ["gear"]

import pytest

from heapline import Heap


def filled(priorities: list[int]) -> Heap:
    heap = Heap()
    for priority in priorities:
        heap.push(f"p{priority}", priority)
    return heap


def test_pop_gives_the_smallest_first():
    assert filled([5, 3, 8, 1, 9, 2]).drain() == ["p1", "p2", "p3", "p5", "p8", "p9"]


def test_pop_of_many_is_sorted():
    assert filled([7, 6, 5, 4, 3, 2, 1, 0]).drain() == ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]


def test_pop_after_pop():
    heap = filled([4, 9, 5, 10, 11, 6, 7])
    assert heap.pop() == "p4"
    assert heap.pop() == "p5"
    assert heap.pop() == "p6"


def test_equal_priorities_keep_their_order():
    heap = Heap()
    for name in ("a", "b", "c", "d"):
        heap.push(name, 1)
    assert heap.drain() == ["a", "b", "c", "d"]


def test_pop_of_empty_is_an_error():
    with pytest.raises(IndexError, match="heap is empty"):
        Heap().pop()


def test_peek_of_empty_is_an_error():
    with pytest.raises(IndexError, match="heap is empty"):
        Heap().peek()


def test_peek_leaves_the_item():
    heap = filled([2, 1])
    assert heap.peek() == "p1"
    assert len(heap) == 2


def test_pop_of_the_last_item():
    heap = filled([3])
    assert heap.pop() == "p3"
    assert len(heap) == 0


def test_update_moves_an_item_forward():
    heap = filled([1, 4, 6, 8])
    assert heap.update("p8", 0) is True
    assert heap.drain() == ["p8", "p1", "p4", "p6"]


def test_update_moves_an_item_back():
    heap = filled([1, 4, 6, 8])
    assert heap.update("p1", 7) is True
    assert heap.drain() == ["p4", "p6", "p1", "p8"]


def test_update_of_the_unknown_is_false():
    assert filled([1, 2]).update("p3", 0) is False


def test_drain_stops_at_the_limit():
    heap = filled([3, 1, 2])
    assert heap.drain(2) == ["p1", "p2"]
    assert len(heap) == 1
    assert heap.drain(5) == ["p3"]


def test_swap_exchanges_slots():
    heap = filled([1, 2])
    heap.swap(0, 1)
    assert [slot[2] for slot in heap.slots] == ["p2", "p1"]


def test_before_compares_priorities():
    heap = filled([1, 2])
    assert heap.before(0, 1) is True
    assert heap.before(1, 0) is False
    assert heap.before(0, 0) is False

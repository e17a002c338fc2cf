import pytest

from pathgraph import Graph


def test_connect_creates_both_nodes():
    graph = Graph()
    graph.connect("a", "b")
    assert graph.nodes() == ["a", "b"]
    assert graph.neighbours("b") == []


def test_connect_has_weight_one():
    graph = Graph()
    graph.connect("a", "b")
    assert graph.weight("a", "b") == 1


def test_connect_keeps_the_lighter_edge():
    graph = Graph([("a", "b", 5), ("a", "b", 3)])
    assert graph.weight("a", "b") == 3
    graph.connect("a", "b", 9)
    assert graph.weight("a", "b") == 3


def test_connect_refuses_negative_weights():
    with pytest.raises(ValueError, match="negative"):
        Graph([("a", "b", -1)])


def test_connect_accepts_weight_zero():
    assert Graph([("a", "b", 0)]).weight("a", "b") == 0


def test_nodes_are_sorted():
    assert Graph([("c", "a", 1), ("b", "c", 1)]).nodes() == ["a", "b", "c"]


def test_neighbours_are_sorted():
    assert Graph([("a", "c", 1), ("a", "b", 1)]).neighbours("a") == ["b", "c"]


def test_neighbours_of_unknown_is_an_error():
    with pytest.raises(KeyError, match="z"):
        Graph().neighbours("z")


def test_add_keeps_edges():
    graph = Graph([("a", "b", 2)])
    graph.add("a")
    assert graph.neighbours("a") == ["b"]


def test_degree_counts_both_ways():
    graph = Graph([("a", "b", 1), ("c", "b", 1), ("b", "d", 1)])
    assert graph.degree("b") == (2, 1)
    assert graph.degree("a") == (0, 1)


def test_reversed_turns_edges():
    graph = Graph([("a", "b", 4), ("b", "c", 2)]).reversed()
    assert graph.neighbours("b") == ["a"]
    assert graph.weight("c", "b") == 2


def test_reversed_keeps_lonely_nodes():
    graph = Graph()
    graph.add("a")
    assert graph.reversed().nodes() == ["a"]

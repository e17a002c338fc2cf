import pytest

from pathgraph import Graph, components, has_cycle, hops, shortest_path, topological_order


def roads() -> Graph:
    return Graph([("a", "b", 7), ("a", "c", 2), ("c", "b", 3), ("b", "d", 1), ("c", "d", 9)])


def test_hops_count_edges():
    assert hops(roads(), "a") == {"a": 0, "b": 1, "c": 1, "d": 2}


def test_hops_leave_out_the_unreachable():
    assert hops(roads(), "d") == {"d": 0}


def test_hops_take_the_short_way():
    assert hops(Graph([("a", "b", 1), ("b", "c", 1), ("a", "c", 1), ("c", "a", 1)]), "a") == {
        "a": 0,
        "b": 1,
        "c": 1,
    }


def test_shortest_path_prefers_light_edges():
    assert shortest_path(roads(), "a", "d") == (6, ["a", "c", "b", "d"])
    assert shortest_path(roads(), "a", "b") == (5, ["a", "c", "b"])


def test_shortest_path_to_itself():
    assert shortest_path(roads(), "a", "a") == (0, ["a"])


def test_shortest_path_without_a_way():
    assert shortest_path(roads(), "d", "a") is None


def test_shortest_path_in_a_circle():
    graph = Graph([("a", "b", 1), ("b", "a", 1)])
    graph.add("c")
    assert shortest_path(graph, "a", "c") is None


def test_topological_order_leads_forward():
    assert topological_order(roads()) == ["a", "c", "b", "d"]


def test_topological_order_is_alphabetical():
    assert topological_order(Graph([("x", "a", 1), ("b", "a", 1)])) == ["b", "x", "a"]
    assert topological_order(Graph([("a", "d", 1), ("a", "b", 1), ("c", "d", 1)])) == ["a", "b", "c", "d"]


def test_topological_order_refuses_cycles():
    with pytest.raises(ValueError, match="cycle"):
        topological_order(Graph([("a", "b", 1), ("b", "a", 1)]))


def test_has_cycle():
    assert has_cycle(Graph([("a", "b", 1), ("b", "c", 1), ("c", "a", 1)]))
    assert not has_cycle(roads())


def test_components_ignore_direction():
    graph = Graph([("a", "b", 1), ("c", "b", 1), ("x", "y", 1)])
    graph.add("m")
    assert components(graph) == [["a", "b", "c"], ["m"], ["x", "y"]]


def test_components_of_nothing():
    assert components(Graph()) == []

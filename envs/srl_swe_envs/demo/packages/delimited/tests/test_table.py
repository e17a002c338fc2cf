import pytest

from delimited import Table, format_row
from delimited.writer import align, format_field


def fruit() -> Table:
    return Table.parse("name,count,colour\npear,10,green\napple,9,red\nplum,,red\n")


def test_parse_reads_the_header():
    assert fruit().header == ["name", "count", "colour"]
    assert len(fruit().rows) == 3


def test_parse_needs_a_header():
    with pytest.raises(ValueError, match="no header"):
        Table.parse("\n# nothing\n")


def test_header_names_are_unique():
    with pytest.raises(ValueError, match="twice"):
        Table(["a", "a"], [])


def test_column_gives_fields():
    assert fruit().column("name") == ["pear", "apple", "plum"]
    assert fruit().column("colour") == ["green", "red", "red"]


def test_where_filters_rows():
    assert fruit().where("colour", "red").column("name") == ["apple", "plum"]
    assert fruit().where("name", "fig").rows == []


def test_sort_by_text():
    assert fruit().sort("name").column("name") == ["apple", "pear", "plum"]
    assert fruit().sort("name", reverse=True).column("name") == ["plum", "pear", "apple"]


def test_sort_by_number():
    table = Table(["n"], [["10"], ["9"], ["100"]])
    assert table.sort("n", numeric=True).column("n") == ["9", "10", "100"]
    assert table.sort("n", numeric=True, reverse=True).column("n") == ["100", "10", "9"]
    assert table.sort("n").column("n") == ["10", "100", "9"]


def test_total_skips_empty_fields():
    assert fruit().total("count") == 19.0


def test_format_writes_all_rows():
    assert Table(["a", "b"], [["1", "x,y"]]).format() == 'a,b\n1,"x,y"'


def test_format_field_quotes_where_needed():
    assert format_field("plain") == "plain"
    assert format_field("a,b") == '"a,b"'
    assert format_field('a"b') == '"a""b"'
    assert format_field(" a") == '" a"'


def test_format_field_of_other_values():
    assert format_field(None) == ""
    assert format_field(12) == "12"


def test_format_row_joins_fields():
    assert format_row(["a", 1, None]) == "a,1,"
    assert format_row(["a;b", "c,d"], ";") == '"a;b";c,d'


def test_align_pads_columns():
    assert align([["a", "bbb"], ["cc", "d"]]) == ["a   bbb", "cc  d"]
    assert align([["a", "b"]], gap=1) == ["a b"]


def test_align_of_nothing():
    assert align([]) == []

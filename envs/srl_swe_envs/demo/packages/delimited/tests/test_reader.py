import pytest

from delimited import parse_line, parse_rows
from delimited.reader import close_quote


def test_parse_line_splits_fields():
    assert parse_line("a,b,c") == ["a", "b", "c"]


def test_parse_line_keeps_empty_fields():
    assert parse_line("a,,b,") == ["a", "", "b", ""]
    assert parse_line("") == [""]


def test_parse_line_takes_another_delimiter():
    assert parse_line("a;b,c", ";") == ["a", "b,c"]


def test_quoted_fields_hold_delimiters():
    assert parse_line('"a,b",c') == ["a,b", "c"]


def test_doubled_quotes_stand_for_one():
    assert parse_line('"say ""hi""",x') == ['say "hi"', "x"]


def test_quotes_inside_a_field_are_plain():
    assert parse_line('5"x,2') == ['5"x', "2"]


def test_text_after_a_quote_is_refused():
    with pytest.raises(ValueError, match="after a quote at 3"):
        parse_line('"a"b,c')


def test_open_quotes_are_refused():
    with pytest.raises(ValueError, match="not closed"):
        parse_line('a,"b')


def test_close_quote_finds_the_end():
    assert close_quote('abc"', 0, '"') == 3
    assert close_quote('a""b",', 0, '"') == 4
    assert close_quote('a,b",c"', 0, '"') == 3


def test_parse_rows_leaves_out_blank_lines_and_comments():
    assert parse_rows("a,b\n\n# note\n1,2\n  \n3,4\n") == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_parse_rows_checks_the_length():
    with pytest.raises(ValueError, match="line 3 has 1 fields instead of 2"):
        parse_rows("a,b\n1,2\n3\n")


def test_parse_rows_takes_another_comment():
    assert parse_rows("%x\n#y", comment="%") == [["#y"]]


def test_parse_rows_of_nothing():
    assert parse_rows("") == []


def test_parse_rows_passes_the_delimiter():
    assert parse_rows("a|b\nc|d", "|") == [["a", "b"], ["c", "d"]]

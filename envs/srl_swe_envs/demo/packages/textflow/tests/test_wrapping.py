import pytest

from textflow import fill, shorten, wrap
from textflow.wrapping import split_long


def test_wrap_breaks_at_spaces():
    assert wrap("one two three", 7) == ["one two", "three"]


def test_wrap_fills_a_line_exactly():
    assert wrap("aa bb", 5) == ["aa bb"]
    assert wrap("aa bb", 4) == ["aa", "bb"]


def test_wrap_cuts_long_words():
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("x abcdef y", 4) == ["x", "abcd", "ef y"]


def test_wrap_of_nothing_is_empty():
    assert wrap("", 10) == []
    assert wrap("  \n ", 10) == []


def test_wrap_accepts_width_one():
    assert wrap("ab c", 1) == ["a", "b", "c"]


def test_wrap_refuses_width_zero():
    with pytest.raises(ValueError, match="at least 1"):
        wrap("abc", 0)


def test_split_long_gives_pieces():
    assert split_long("abcde", 2) == ["ab", "cd", "e"]
    assert split_long("", 2) == []


def test_fill_keeps_paragraphs_apart():
    assert fill("a b\n\nc d", 1) == "a\nb\n\nc\nd"


def test_fill_drops_blank_paragraphs():
    assert fill("a\n\n \n\nb", 5) == "a\n\nb"


def test_fill_joins_short_lines():
    assert fill("one\ntwo", 20) == "one two"


def test_shorten_returns_fitting_text():
    assert shorten("one  two", 7) == "one two"


def test_shorten_cuts_whole_words():
    assert shorten("one two three", 10) == "one two..."
    assert shorten("one two three", 9) == "one..."


def test_shorten_may_keep_only_the_mark():
    assert shorten("abcdef", 4) == "..."
    assert shorten("abcdef", 3) == "..."


def test_shorten_refuses_a_wide_mark():
    with pytest.raises(ValueError, match="mark is longer"):
        shorten("abcdef", 2)


def test_shorten_takes_another_mark():
    assert shorten("one two three", 8, "~") == "one two~"

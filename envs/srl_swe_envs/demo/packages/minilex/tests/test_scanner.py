import pytest

from minilex import LexError, Token, tokenize
from minilex.scanner import scan_name, scan_number


def texts(source: str) -> list[str]:
    return [token.text for token in tokenize(source)]


def test_tokens_have_kind_and_offset():
    assert tokenize("a + 12") == [Token("name", "a", 0), Token("operator", "+", 2), Token("number", "12", 4)]


def test_tokenize_without_spaces():
    assert texts("x*(y-3)") == ["x", "*", "(", "y", "-", "3", ")"]


def test_two_letter_operators_win():
    assert texts("2**3//4") == ["2", "**", "3", "//", "4"]


def test_numbers_take_one_dot():
    assert texts("3.25 7.") == ["3.25", "7."]


def test_second_dot_is_an_error():
    with pytest.raises(LexError, match="unexpected '.' at 3"):
        tokenize("1.2.3")


def test_names_hold_digits_and_underscores():
    assert texts("_a1 b_2") == ["_a1", "b_2"]


def test_comments_end_the_text():
    assert texts("1 # 2 3") == ["1"]


def test_unknown_characters_are_errors():
    with pytest.raises(LexError, match="unexpected '%' at 2"):
        tokenize("5 % 2")


def test_empty_text_has_no_tokens():
    assert tokenize("") == []
    assert tokenize(" \t\n") == []


def test_scan_number_stops():
    assert scan_number("12+3", 0) == 2
    assert scan_number("a45", 1) == 3


def test_scan_name_stops():
    assert scan_name("ab1 c", 0) == 3
    assert scan_name("x.y", 2) == 3

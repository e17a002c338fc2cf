import pytest

from minilex import evaluate


def test_evaluate_sums_from_the_left():
    assert evaluate("10 - 3 - 2") == 5
    assert evaluate("1 + 2 + 3") == 6


def test_evaluate_products_first():
    assert evaluate("2 + 3 * 4") == 14
    assert evaluate("20 - 6 / 3") == 18.0


def test_evaluate_quotients():
    assert evaluate("7 / 2") == 3.5
    assert evaluate("7 // 2") == 3
    assert evaluate("24 / 4 * 2") == 12.0


def test_evaluate_powers_from_the_right():
    assert evaluate("2 ** 3 ** 2") == 512
    assert evaluate("2 * 3 ** 2") == 18


def test_evaluate_signs():
    assert evaluate("-3 + 5") == 2
    assert evaluate("--4") == 4
    assert evaluate("-2 ** 2") == -4


def test_evaluate_brackets():
    assert evaluate("(2 + 3) * (4 - 1)") == 15


def test_evaluate_decimals():
    assert evaluate("1.5 * 4") == 6.0


def test_evaluate_names():
    assert evaluate("a * b + 1", a=3, b=4) == 13


def test_evaluate_calls():
    assert evaluate("max(1, 2 + 5, 3)") == 7
    assert evaluate("min(4, 2) * 10") == 20
    assert evaluate("abs(3 - 8)") == 5


def test_unknown_names_are_errors():
    with pytest.raises(KeyError):
        evaluate("missing + 1")


def test_open_bracket_is_an_error():
    with pytest.raises(SyntaxError, match="expected"):
        evaluate("(1 + 2")


def test_trailing_tokens_are_an_error():
    with pytest.raises(SyntaxError, match="unexpected '2'"):
        evaluate("1 2")


def test_missing_operand_is_an_error():
    with pytest.raises(SyntaxError, match="unexpected end"):
        evaluate("1 +")


def test_lonely_operator_is_an_error():
    with pytest.raises(SyntaxError, match="unexpected '\\*'"):
        evaluate("* 2")

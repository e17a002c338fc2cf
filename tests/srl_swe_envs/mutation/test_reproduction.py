"""Failing tests reduced to a line of code."""

import pytest

from srl_swe_envs.mutation.reproduction import reproduction_of

TESTS = """
import math
import pytest

from shop import Cart, price
from shop.tax import rate as tax_rate


def make():
    return Cart()


def test_value():
    assert price("tea") == 3
    assert price("jam", 2) == 8


def test_state():
    cart = Cart()
    cart.put("tea")
    assert cart.take() == "tea"
    assert len(cart) == 0


def test_raises():
    cart = Cart()
    with pytest.raises(KeyError, match="x"):
        cart.take("x")


def test_not():
    assert not tax_rate(math.pi)


def test_helper():
    cart = make()
    assert cart.take() == 1


def test_fixture(tmp_path):
    assert price(tmp_path) == 1


def test_loop():
    cart = Cart()
    for name in "ab":
        cart.put(name)
    assert cart.take() == "a"


@pytest.mark.parametrize("name", ["tea", "jam"])
def test_parameter(name):
    assert price(name) == 3


class TestCart:
    def test_method(self):
        assert price("tea") == 3
"""


def line_of(text: str) -> int:
    return TESTS[: TESTS.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("test", "at", "code"),
    [
        ("test_value", 'price("tea") == 3', "from shop import price; print(repr(price('tea')))"),
        ("test_value", 'price("jam"', "from shop import price; print(repr(price('jam', 2)))"),
        (
            "test_state",
            "len(cart)",
            "from shop import Cart; cart = Cart(); cart.put('tea'); cart.take(); print(repr(len(cart)))",
        ),
        ("test_raises", "with pytest", "from shop import Cart; cart = Cart(); print(repr(cart.take('x')))"),
        (
            "test_not",
            "not tax_rate",
            "import math; from shop.tax import rate as tax_rate; print(repr(tax_rate(math.pi)))",
        ),
    ],
)
def test_a_test_becomes_the_code_up_to_its_failing_line(test, at, code):
    found = reproduction_of(TESTS, test, line_of(at), {})
    assert found is not None
    assert found.code() == code


def test_parameters_become_assignments():
    found = reproduction_of(TESTS, "test_parameter", line_of("price(name)"), {"name": "'tea'"})
    assert found is not None
    assert found.code() == "from shop import price; name = 'tea'; print(repr(price(name)))"


@pytest.mark.parametrize(
    ("test", "at"),
    [
        ("test_helper", "cart.take() == 1"),
        ("test_fixture", "price(tmp_path)"),
        ("test_loop", 'cart.take() == "a"'),
        ("test_parameter", "price(name)"),
        ("test_method", "class TestCart"),
        ("test_gone", "import math"),
    ],
)
def test_what_does_not_stand_on_its_own_is_left(test, at):
    assert reproduction_of(TESTS, test, line_of(at), {}) is None


def test_the_called_name_is_the_outermost_call_of_the_package():
    found = reproduction_of(TESTS, "test_state", line_of("cart.take()"), {})
    assert found is not None
    assert found.called == "take"

from fractions import Fraction

import pytest

from measures import Quantity, UnitError
from measures.quantity import celsius, fahrenheit, find_unit


def test_to_converts_lengths():
    assert Quantity(3, "km").to("m").amount == 3000
    assert Quantity(25, "mm").to("cm").amount == Fraction(5, 2)


def test_to_converts_weights():
    assert Quantity(500, "g").to("kg").text() == "0.5 kg"
    assert Quantity(2, "t").to("kg").amount == 2000


def test_to_refuses_another_kind():
    with pytest.raises(UnitError, match="km is no weight"):
        Quantity(1, "km").to("kg")


def test_unknown_units_are_refused():
    with pytest.raises(UnitError, match="unknown unit mile"):
        Quantity(1, "m").to("mile")
    with pytest.raises(UnitError, match="unknown unit yard"):
        find_unit("yard")


def test_add_uses_the_first_unit():
    assert Quantity(1, "m").add(Quantity(50, "cm")).text() == "1.5 m"
    assert Quantity(50, "cm").add(Quantity(1, "m")).text() == "150 cm"


def test_compare_tells_less_equal_more():
    assert Quantity(1, "m").compare(Quantity(99, "cm")) == 1
    assert Quantity(1, "m").compare(Quantity(100, "cm")) == 0
    assert Quantity(1, "m").compare(Quantity(1, "km")) == -1


def test_text_cuts_zeros():
    assert Quantity(Fraction(1, 3), "kg").text() == "0.333 kg"
    assert Quantity(10, "kg").text() == "10 kg"


def test_fahrenheit_of_known_points():
    assert fahrenheit(100) == 212
    assert fahrenheit(-40) == -40


def test_celsius_of_known_points():
    assert celsius(212) == 100
    assert celsius(14) == -10

import pytest

from purse import CurrencyError, Money, parse_money


def test_add_sums_cents():
    assert Money(150).add(Money(275)) == Money(425)


def test_add_keeps_the_currency():
    assert Money(1, "USD").add(Money(2, "USD")) == Money(3, "USD")


def test_add_refuses_another_currency():
    with pytest.raises(CurrencyError, match="EUR and USD"):
        Money(1).add(Money(2, "USD"))


def test_subtract_may_go_below_zero():
    assert Money(100, "CHF").subtract(Money(250, "CHF")) == Money(-150, "CHF")


def test_subtract_refuses_another_currency():
    with pytest.raises(CurrencyError, match="USD and EUR"):
        Money(1, "USD").subtract(Money(2))


def test_percent_rounds_half_up():
    assert Money(250).percent(5) == Money(13)
    assert Money(249).percent(5) == Money(12)
    assert Money(1000).percent(19) == Money(190)


def test_percent_of_debts():
    assert Money(-250).percent(5) == Money(-13)
    assert Money(0).percent(5) == Money(0)


def test_with_tax_adds_the_rate():
    assert Money(1000, "USD").with_tax(19) == Money(1190, "USD")


def test_share_loses_no_cent():
    assert [part.cents for part in Money(100).share([1, 1, 1])] == [34, 33, 33]
    assert [part.cents for part in Money(101).share([1, 1, 1])] == [34, 34, 33]


def test_share_follows_weights():
    assert [part.cents for part in Money(1000).share([3, 1])] == [750, 250]
    assert [part.cents for part in Money(5).share([0, 1, 1])] == [0, 3, 2]


def test_share_keeps_the_currency():
    assert Money(2, "USD").share([1, 1]) == [Money(1, "USD"), Money(1, "USD")]


def test_share_refuses_bad_weights():
    with pytest.raises(ValueError, match="weights"):
        Money(5).share([])
    with pytest.raises(ValueError, match="weights"):
        Money(5).share([0, 0])
    with pytest.raises(ValueError, match="weights"):
        Money(5).share([3, -1])


def test_format_writes_groups():
    assert Money(123450).format() == "1,234.50 EUR"
    assert Money(-5, "USD").format() == "-0.05 USD"
    assert Money(100).format() == "1.00 EUR"


def test_parse_money_reads_amounts():
    assert parse_money("1,234.50 USD") == Money(123450, "USD")
    assert parse_money("12") == Money(1200)
    assert parse_money("0.5") == Money(50)


def test_parse_money_reads_debts():
    assert parse_money("-0.05") == Money(-5)
    assert parse_money("-7 CHF") == Money(-700, "CHF")


def test_parse_money_refuses_decimals():
    with pytest.raises(ValueError, match="two decimals"):
        parse_money("1.234")


def test_parse_money_refuses_more_words():
    with pytest.raises(ValueError, match="expected an amount"):
        parse_money("1 EUR more")
    with pytest.raises(ValueError, match="expected an amount"):
        parse_money(" ")

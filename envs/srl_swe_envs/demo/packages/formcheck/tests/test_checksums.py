from formcheck import iban_is_valid, isbn_is_valid, luhn_is_valid


def test_luhn_accepts_cards():
    assert luhn_is_valid("4539 1488 0343 6467")
    assert luhn_is_valid("79927398713")


def test_luhn_refuses_wrong_digits():
    assert not luhn_is_valid("79927398710")
    assert not luhn_is_valid("8273 1232 7352 0569")


def test_luhn_refuses_other_text():
    assert not luhn_is_valid("0")
    assert not luhn_is_valid("12a4")
    assert luhn_is_valid("00")
    assert luhn_is_valid("18")


def test_isbn_with_thirteen_places():
    assert isbn_is_valid("978-3-16-148410-0")
    assert not isbn_is_valid("978-3-16-148410-1")


def test_isbn_with_ten_places():
    assert isbn_is_valid("0-306-40615-2")
    assert not isbn_is_valid("0-306-40615-3")
    assert isbn_is_valid("097522980X")


def test_isbn_refuses_other_text():
    assert not isbn_is_valid("12345")
    assert not isbn_is_valid("09752298XX")
    assert not isbn_is_valid("097522980Y")
    assert not isbn_is_valid("97831614841-0X")


def test_iban_accepts_accounts():
    assert iban_is_valid("GB82 WEST 1234 5698 7654 32")
    assert iban_is_valid("no9386011117947")


def test_iban_refuses_wrong_sums():
    assert not iban_is_valid("GB82 WEST 1234 5698 7654 33")


def test_iban_refuses_other_text():
    assert not iban_is_valid("GB82")
    assert not iban_is_valid("")
    assert not iban_is_valid("GB82-WEST-1234-5698-7654-32")

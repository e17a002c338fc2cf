from formcheck import check_email, check_password, check_range
from formcheck.fields import check_choice


def test_good_emails_pass():
    assert check_email("ann@example.org") == []
    assert check_email("a@b.c") == []


def test_email_needs_one_at():
    assert check_email("ann.example.org") == ["needs one @"]
    assert check_email("a@b@c.d") == ["needs one @"]


def test_email_needs_a_name():
    assert check_email("@example.org") == ["name is empty"]


def test_email_needs_a_domain():
    assert check_email("ann@localhost") == ["domain is wrong"]
    assert check_email("ann@.org") == ["domain is wrong"]
    assert check_email("ann@example.") == ["domain is wrong"]


def test_email_has_no_blanks():
    assert check_email("an n@example.org") == ["has blanks"]


def test_good_passwords_pass():
    assert check_password("Secret77") == []


def test_short_passwords_fail():
    assert check_password("Secre77") == ["shorter than 8"]
    assert check_password("Se7", minimum=3) == []


def test_passwords_need_digits_and_cases():
    assert check_password("SecretSecret") == ["no digit"]
    assert check_password("secret777") == ["needs both cases"]
    assert check_password("SECRET777") == ["needs both cases"]


def test_bad_passwords_collect_complaints():
    assert check_password("abc") == ["shorter than 8", "no digit", "needs both cases"]


def test_range_includes_the_limits():
    assert check_range("1", 1, 5) == []
    assert check_range("5", 1, 5) == []


def test_range_names_the_limit():
    assert check_range("0", 1, 5) == ["below 1"]
    assert check_range("6", 1, 5) == ["above 5"]


def test_range_needs_a_number():
    assert check_range("two", 1, 5) == ["not a number"]


def test_choice_ignores_case():
    assert check_choice("RED", ("red", "Green")) == []
    assert check_choice("green", ("red", "Green")) == []


def test_choice_names_the_choices():
    assert check_choice("blue", ("red", "Green")) == ["not one of red, Green"]

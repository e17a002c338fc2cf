from formcheck import Form, check_email, check_password


def login() -> Form:
    return Form().field("mail", check_email).field("password", check_password).field("note", optional=True)


def test_good_data_is_valid():
    assert login().is_valid({"mail": "a@b.c", "password": "Secret77"})
    assert login().complaints({"mail": "a@b.c", "password": "Secret77", "note": "hi"}) == {}


def test_missing_fields_are_named():
    assert login().complaints({"mail": "a@b.c"}) == {"password": ["missing"]}
    assert login().complaints({"mail": "a@b.c", "password": "  "}) == {"password": ["missing"]}


def test_bad_fields_are_named():
    assert login().complaints({"mail": "ab.c", "password": "Secret77"}) == {"mail": ["needs one @"]}
    assert not login().is_valid({"mail": "ab.c", "password": "Secret77"})


def test_unknown_fields_are_named():
    assert login().complaints({"mail": "a@b.c", "password": "Secret77", "age": "3"}) == {"age": ["unknown"]}


def test_values_are_stripped():
    assert login().is_valid({"mail": " a@b.c ", "password": "Secret77"})


def test_checks_of_one_field_add_up():
    form = Form().field("word", check_password).field("word", check_email)
    assert form.complaints({"word": "Ab1"}) == {"word": ["shorter than 8", "needs one @"]}


def test_summary_of_good_data():
    assert login().summary({"mail": "a@b.c", "password": "Secret77"}) == "all fine"


def test_summary_counts_problems():
    assert login().summary({"mail": "ab.c", "password": "Secret77"}) == "1 problem in mail"
    assert login().summary({"password": "abc"}) == "4 problems in mail, password"

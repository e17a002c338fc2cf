from textflow import center, indent, justify


def test_indent_prefixes_lines():
    assert indent("a\nb", "> ") == "> a\n> b"


def test_indent_leaves_blank_lines():
    assert indent("a\n\nb", "  ") == "  a\n\n  b"
    assert indent("a\n \nb", "-") == "-a\n \n-b"


def test_indent_can_skip_the_first_line():
    assert indent("a\nb\nc", "  ", skip_first=True) == "a\n  b\n  c"


def test_center_splits_the_rest():
    assert center("ab", 6) == "  ab  "
    assert center("ab", 5, "*") == "*ab**"


def test_center_returns_long_text():
    assert center("abc", 3) == "abc"
    assert center("abcd", 3, "*") == "abcd"


def test_center_adds_one():
    assert center("abc", 4, ".") == "abc."


def test_justify_spreads_gaps():
    assert justify("a b c", 7) == "a  b  c"
    assert justify("a b c", 6) == "a  b c"


def test_justify_keeps_two_words_apart():
    assert justify("ab cd", 8) == "ab    cd"


def test_justify_of_a_full_line_changes_nothing():
    assert justify("aa bb cc", 8) == "aa bb cc"
    assert justify("aa bb cc", 7) == "aa bb cc"


def test_justify_of_one_word_is_the_word():
    assert justify("alone", 9) == "alone"
    assert justify("", 9) == ""

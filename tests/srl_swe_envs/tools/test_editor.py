import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe_envs import Create, Insert, Replace, Undo, View
from srl_swe_envs.tools import Editor, MemoryFiles
from srl_swe_envs.tools.file_map import file_map
from srl_swe_envs.tools.text_file import TextFile

TEN = "".join(f"line {number}\n" for number in range(1, 11))


def editor(**texts):
    files = MemoryFiles({f"/repo/{name.replace('_py', '.py')}": text for name, text in texts.items()})
    return Editor(files, workdir="/repo"), files


def test_a_view_numbers_lines_as_cat_does_and_keeps_the_empty_last_one():
    tool, _ = editor(a="x\n\ty\n")
    shown = "Here's the result of running `cat -n` on /repo/a:\n     1\tx\n     2\t        y\n     3\t\n"
    assert tool.run(View(path="/repo/a")).text == shown


def test_a_range_is_inclusive_and_minus_one_is_the_end():
    tool, _ = editor(a=TEN)
    assert tool.run(View(path="/repo/a", lines=(9, -1))).text.splitlines()[1:] == [
        "     9\tline 9",
        "    10\tline 10",
        "    11\t",
    ]


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        ((0, 3), 12, "Its first element `0` should be within the range of lines of the file: [1, 11]"),
        ((12, 13), 12, "Its first element `12` should be within"),
        ((1, 12), 13, "Its second element `12` should be smaller than the number of lines in the file: `11`"),
        ((5, 4), 14, "Its second element `4` should be larger or equal than its first `5`"),
        ((5, -2), 14, "Its second element `-2` should be larger or equal than its first `5`"),
    ],
)
def test_a_range_outside_the_file_is_refused_in_upstreams_words(lines, code, message):
    tool, _ = editor(a=TEN)
    result = tool.run(View(path="/repo/a", lines=lines))
    assert result.exit_code == code
    assert result.text.startswith(f"Invalid `view_range`: {list(lines)}. ")
    assert message in result.text


def test_a_directory_shows_two_levels_without_hidden_entries():
    files = MemoryFiles({"/repo/b/c/d.py": "", "/repo/b/.x": "", "/repo/.git/HEAD": "", "/repo/a.py": ""})
    listing = "/repo\n/repo/a.py\n/repo/b\n/repo/b/c\n"
    head = "Here's the files and directories up to 2 levels deep in /repo, excluding hidden items:\n"
    assert Editor(files).run(View(path="/repo")).text == head + listing + "\n"
    assert Editor(files).run(View(path="/repo", lines=(1, 2))).exit_code == 10


def test_wrong_paths_are_refused_in_upstreams_words():
    tool, _ = editor(a="x")
    assert tool.run(View(path="a")).text == (
        "The path a is not an absolute path, it should start with `/`. Maybe you meant /repo/a?"
    )
    assert tool.run(Undo(path="/repo/b")).text == "The path /repo/b does not exist. Please provide a valid path."
    assert tool.run(Create(path="/repo/a", text="")).text == (
        "File already exists at: /repo/a. Cannot overwrite files using command `create`."
    )
    assert tool.run(Create(path="/repo/no/a", text="")).text == (
        "The parent directory /repo/no does not exist. Please create it first."
    )
    assert tool.run(Replace(path="/repo", old="a", new="b")).text == (
        "The path /repo is a directory and only the `view` command can be used on directories"
    )


def test_a_replacement_shows_four_lines_around_it():
    tool, files = editor(a=TEN)
    result = tool.run(Replace(path="/repo/a", old="line 6\n", new="six\nsix and a half\n"))
    assert files.texts()["/repo/a"] == TEN.replace("line 6\n", "six\nsix and a half\n")
    assert result.text == (
        "The file /repo/a has been edited. Here's the result of running `cat -n` on a snippet of /repo/a:\n"
        "     1\tline 1\n     2\tline 2\n     3\tline 3\n     4\tline 4\n     5\tline 5\n     6\tsix\n"
        "     7\tsix and a half\n     8\tline 7\n     9\tline 8\n    10\tline 9\n    11\tline 10\n"
        "Review the changes and make sure they are as expected. Edit the file again if necessary."
    )


def test_a_replacement_must_match_exactly_once_and_change_something():
    tool, files = editor(a="one\ntwo one\n")
    none = tool.run(Replace(path="/repo/a", old="three", new="x"))
    many = tool.run(Replace(path="/repo/a", old="one", new="x"))
    same = tool.run(Replace(path="/repo/a", old="two", new="two"))
    assert none.text == "No replacement was performed, old_str `three` did not appear verbatim in /repo/a."
    assert many.text == (
        "No replacement was performed. Multiple occurrences of old_str `one` in lines [1, 2]."
        " Please ensure it is unique"
    )
    assert same.text == "No replacement was performed, old_str `two` is the same as new_str `two`."
    assert [r.exit_code for r in (none, many, same)] == [15, 16, 161]
    assert files.texts()["/repo/a"] == "one\ntwo one\n"


def test_an_insertion_goes_after_its_line_and_line_zero_is_the_start():
    tool, files = editor(a="one\ntwo\n")
    result = tool.run(Insert(path="/repo/a", after_line=1, text="one and a half"))
    tool.run(Insert(path="/repo/a", after_line=0, text="zero"))
    assert files.texts()["/repo/a"] == "zero\none\none and a half\ntwo\n"
    assert result.text == (
        "The file /repo/a has been edited. Here's the result of running `cat -n` on a snippet of the edited file:\n"
        "     1\tone\n     2\tone and a half\n     3\ttwo\n     4\t\nReview the changes and make sure they are as"
        " expected (correct indentation, no duplicate lines, etc). Edit the file again if necessary."
    )


@given(text=st.text("ab\n", max_size=20), new=st.text("cd\n", max_size=6), data=st.data())
def test_an_insertion_is_a_list_insertion_of_lines(text, new, data):
    lines = text.split("\n")
    at = data.draw(st.integers(-1, len(lines) + 1))
    tool, files = editor(a=text)
    result = tool.run(Insert(path="/repo/a", after_line=at, text=new))
    if 0 <= at <= len(lines):
        assert files.texts()["/repo/a"] == "\n".join([*lines[:at], *new.split("\n"), *lines[at:]])
    else:
        assert result.exit_code == 17
        assert files.texts()["/repo/a"] == text


def test_undo_takes_edits_back_one_by_one_and_says_when_none_is_left():
    tool, files = editor(a="one\n")
    tool.run(Replace(path="/repo/a", old="one", new="two"))
    tool.run(Insert(path="/repo/a", after_line=0, text="zero"))
    assert tool.run(Undo(path="/repo/a")).text.startswith("Last edit to /repo/a undone successfully. Here's the result")
    assert files.texts()["/repo/a"] == "two\n"
    tool.run(Undo(path="/repo/a"))
    assert files.texts()["/repo/a"] == "one\n"
    assert tool.run(Undo(path="/repo/a")).text == "No edit history found for /repo/a."


def test_an_edit_leaves_the_tabs_and_line_ends_of_the_rest_alone():
    makefile = "all:\n\tmake one\n\tmake two\n"
    tool, files = editor(Makefile=makefile, dos="a\r\n\tb\r\nc\r\n")
    result = tool.run(Replace(path="/repo/Makefile", old="        make one\n", new="\tmake 1\n"))
    assert files.texts()["/repo/Makefile"] == "all:\n\tmake 1\n\tmake two\n"
    assert "\t        make 1\n" in result.text
    tool.run(Replace(path="/repo/dos", old="b\nc", new="B\nC"))
    assert files.texts()["/repo/dos"] == "a\r\n\tB\r\nC\r\n"


PIECES = st.lists(st.sampled_from(["a", "b", "\t", "\n", "\r\n"]), max_size=25).map("".join)


@given(text=PIECES, new=st.text("xy\n", max_size=4), data=st.data())
def test_a_splice_of_the_original_shows_what_a_splice_of_the_view_shows(text, new, data):
    file = TextFile(text)
    start = data.draw(st.integers(0, len(file.shown)))
    end = data.draw(st.integers(start, len(file.shown)))
    spliced = TextFile(file.spliced(start, end, new)).plain
    expected = file.shown[:start] + new + file.shown[end:]
    # a tab after the edit may now reach to another column, so widths are compared without white space
    assert spliced.translate({32: None, 9: None}) == expected.translate({32: None})
    if "\t" not in text:
        assert spliced == expected


def test_a_file_that_is_not_utf8_survives_an_edit():
    files = MemoryFiles({"/a": ""})
    files.write("/a", b"caf\xe9 one\n")
    assert Editor(files).run(Replace(path="/a", old="one", new="two")).exit_code == 0
    assert files.read("/a") == b"caf\xe9 two\n"
    refused = Editor(files).run(Replace(path="/a", old="two", new="\u20ac"))
    assert refused.exit_code == 20
    assert files.read("/a") == b"caf\xe9 two\n"


def test_long_files_are_clipped_and_long_python_files_outlined():
    body = "".join(f"    x{number} = {number}\n" for number in range(6))
    python = "".join(f"def f{number}():\n{body}" for number in range(300))
    tool, _ = editor(a="x" * 20_000, b_py=python, c_py="def broken(:\n" + "#" * 20_000)
    assert tool.run(View(path="/repo/a")).text.count("<response clipped>") == 1
    outline = tool.run(View(path="/repo/b.py")).text
    assert outline.startswith("<NOTE>This file is too large to display entirely.")
    assert "     1 def f0():\n     2 ... eliding lines 2-7 ...\n     8 def f1():\n" in outline
    assert "<response clipped>" in tool.run(View(path="/repo/c.py")).text


def test_an_outline_keeps_short_functions_and_comments_and_names_nested_bodies():
    source = (
        "def f():\n    # why\n    a = 1\n    def g():\n"
        + "        b = 1\n" * 6
        + "    return g\ndef h():\n    return 1\n"
    )
    assert file_map(source) == (
        "     1 def f():\n     2     # why\n     3 ... eliding lines 3-11 ...\n     5 ... eliding lines 5-10 ...\n"
        "    12 def h():\n    13     return 1"
    )
    assert file_map("def f(:") is None


ACTIONS = st.one_of(
    st.builds(View, path=st.text(), lines=st.none() | st.tuples(st.integers(), st.integers())),
    st.builds(Create, path=st.sampled_from(["/repo/new", "/repo/a", "x", "/"]), text=st.text()),
    st.builds(Replace, path=st.sampled_from(["/repo/a", "/repo", ""]), old=st.text("ab\t\n"), new=st.text()),
    st.builds(Insert, path=st.just("/repo/a"), after_line=st.integers(), text=st.text() | st.just("\ud800")),
    st.builds(Undo, path=st.sampled_from(["/repo/a", "/repo/new"])),
)


@given(actions=st.lists(ACTIONS, max_size=8))
def test_no_sequence_of_actions_raises(actions):
    tool, _ = editor(a="a\tb\nb\r\na")
    for action in actions:
        assert tool.run(action).text

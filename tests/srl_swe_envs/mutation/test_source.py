"""Edits by source spans."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from srl_swe_envs.mutation.source import Edit, SourceFile, own_nodes, scopes

TEXT = '''"""Doc."""


class Box:
    def put(self, wert: str = "ü") -> str:  # größe
        """Doc of put."""
        äö = wert + "€"; return äö + wert


def outer(a, b=2):
    def inner(c):
        return c + a
    return [inner(x) for x in range(b)]
'''


def test_segments_are_the_source_text_also_behind_wide_characters():
    source = SourceFile(path="box.py", text=TEXT)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.expr):
            assert source.segment(node) == ast.get_source_segment(TEXT, node)


def test_an_edit_leaves_everything_else_alone():
    source = SourceFile(path="box.py", text=TEXT)
    sums = [node for node in ast.walk(source.tree) if isinstance(node, ast.BinOp)]
    start, end = source.span(sums[0])
    edited = Edit(start=start, end=end, new="wert").apply(TEXT)
    assert edited == TEXT.replace('wert + "€"', "wert")


def test_scopes_are_top_level_functions_and_methods_with_dotted_names():
    source = SourceFile(path="box.py", text=TEXT)
    assert [scope.name for scope in scopes(source)] == ["outer", "Box.put"]


def test_bound_names_leave_out_those_of_comprehensions_and_self():
    source = SourceFile(path="box.py", text=TEXT)
    bound = {scope.name: [name for name, _ in scope.bound] for scope in scopes(source)}
    assert bound == {"outer": ["a", "b"], "Box.put": ["wert", "äö"]}


def test_docstrings_annotations_f_strings_and_messages_are_never_touched():
    text = (
        'def f(a: "int" = 1) -> "str":\n    """Doc 7."""\n    if a > 2:\n        raise ValueError("max 3")\n'
        '    return f"{a + 4}"\n'
    )
    source = SourceFile(path="f.py", text=text)
    (scope,) = scopes(source)
    constants = {node.value for node in own_nodes(scope.function) if isinstance(node, ast.Constant)}
    assert constants == {1, 2}


@given(st.text(alphabet="aé€𝄞 =1\n", max_size=40), st.integers(0, 40), st.integers(0, 40), st.text(max_size=5))
def test_an_edit_replaces_exactly_its_span(text, first, second, new):
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    edited = Edit(start=start, end=end, new=new).apply(text)
    assert edited[:start] == text[:start]
    assert edited[start : start + len(new)] == new
    assert edited[start + len(new) :] == text[end:]

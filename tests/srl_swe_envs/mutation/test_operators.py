"""What each mutation operator makes of a line of code."""

import ast
import subprocess

import pytest

from srl_swe_envs.demo.tasks import package_files
from srl_swe_envs.mutation.mutants import mutants_of, ordered_mutants
from srl_swe_envs.mutation.operators import OPERATORS
from srl_swe_envs.mutation.source import SourceFile


def mutated_lines(body: str, operator: str) -> set[str]:
    """The changed bodies that one operator gives; a body is the text behind `def f(a, b):`."""
    head = "def f(a, b):\n"
    text = head + "".join(f"    {line}\n" for line in body.split("\n"))
    made = [mutant for mutant in mutants_of(SourceFile(path="f.py", text=text)) if mutant.operator == operator]
    bodies = [mutant.plant(text).removeprefix(head).rstrip("\n").split("\n") for mutant in made]
    return {"\n".join(line[4:] for line in body) for body in bodies}


@pytest.mark.parametrize(
    ("operator", "body", "expected"),
    [
        ("boundary", "return a < b", {"return a <= b"}),
        ("boundary", "return 1 <= a <= b", {"return 1 < a <= b", "return 1 <= a < b"}),
        ("comparison", "return a not in b", {"return a in b"}),
        ("comparison", "return (a) is (b)", {"return (a) is not (b)"}),
        ("arithmetic", "return a // b", {"return a % b"}),
        ("arithmetic", "return (a - 1) * (b)", {"return (a - 1) + (b)", "return (a + 1) * (b)"}),
        ("assignment", "a += b\nreturn a", {"a -= b\nreturn a", "a = b\nreturn a"}),
        ("boolean", "return a and b", {"return a or b"}),
        ("negation", "if not a:\n    return b\nreturn 1", {"if a:\n    return b\nreturn 1"}),
        ("negation", "while a.b:\n    a = 1", {"while not a.b:\n    a = 1"}),
        ("constant", "return a * 60", {"return a * 61", "return a * 59"}),
        ("constant", 'return " ".join(a)', {'return "".join(a)'}),
        ("constant", "return True", {"return False"}),
        ("off_by_one", "return a[1]", {"return a[2]", "return a[0]"}),
        ("off_by_one", "return a[:b]", {"return a[:b + 1]"}),
        ("off_by_one", "return range(a, b)", {"return range(a, b - 1)"}),
        ("ternary", "return a if b else 1", {"return 1 if b else a"}),
        ("variable", "return a.x", {"return b.x"}),
        ("arguments", "return g(a, b)", {"return g(b, a)"}),
        ("arguments", "return a - b", {"return b - a"}),
        ("method", "return a.upper()", {"return a.lower()"}),
        ("method", "return min(a, b)", {"return max(a, b)"}),
        ("attribute", "return a.x + a.y", {"return a.y + a.y", "return a.x + a.x"}),
        ("branch", "if a:\n    return b\nreturn 1", {"return 1"}),
        ("statement", "a.append(b)\nreturn a", {"return a"}),
        ("jump", "for a in b:\n    break", {"for a in b:\n    continue"}),
        ("return", "return g(a)", {"g(a)"}),
    ],
)
def test_an_operator_changes_what_it_says(operator, body, expected):
    assert mutated_lines(body, operator) == expected


def test_every_operator_finds_a_place_in_the_demo_packages():
    used = set()
    for package in ("formcheck", "heapline", "measures", "minilex", "pathgraph", "textflow"):
        for path, text in package_files(package):
            if path.endswith(".py") and not path.startswith("tests/"):
                used |= {mutant.operator for mutant in mutants_of(SourceFile(path=path, text=text))}
    assert used == set(OPERATORS)


def test_mutants_are_python_differ_from_their_original_and_from_each_other():
    source = SourceFile(path="purse/money.py", text=dict(package_files("purse"))["purse/money.py"])
    texts = [mutant.plant(source.text) for mutant in mutants_of(source)]
    assert len(set(texts)) == len(texts) > 100
    assert source.text not in texts
    for text in texts:
        ast.parse(text)


def test_a_mutant_can_be_taken_out_again():
    source = SourceFile(path="purse/money.py", text=dict(package_files("purse"))["purse/money.py"])
    for mutant in mutants_of(source):
        assert mutant.remove(mutant.plant(source.text)) == source.text


def test_a_mutant_refuses_another_file():
    source = SourceFile(path="purse/money.py", text=dict(package_files("purse"))["purse/money.py"])
    mutant = mutants_of(source)[0]
    with pytest.raises(ValueError, match="has other text at"):
        mutant.plant("# a new first line\n" + source.text)


def test_the_order_depends_on_the_seed_alone_and_mixes_operators():
    sources = [
        SourceFile(path=path, text=text)
        for path, text in package_files("purse")
        if path.endswith(".py") and not path.startswith("tests/")
    ]
    first, again, other = (ordered_mutants(sources, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(map(repr, first)) == sorted(map(repr, other))
    assert len({mutant.operator for mutant in first[:30]}) >= 10


@pytest.mark.parametrize("text", ["def f(a, b):\n    return a + b\n", "def f(a, b):\n    return a + b"])
def test_patches_plant_the_bug_and_take_it_out(text, tmp_path):
    mutant = mutants_of(SourceFile(path="f.py", text=text))[0]
    (tmp_path / "f.py").write_text(text)
    for patch, expected in ((mutant.planting_patch(text), mutant.plant(text)), (mutant.fixing_patch(text), text)):
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, text=True, check=True)
        assert (tmp_path / "f.py").read_text() == expected

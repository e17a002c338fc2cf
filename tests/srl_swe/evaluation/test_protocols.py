"""The protocols of one and two replies, in the local sandbox on demo tasks, and their edits' quirks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.evaluation.items import Item
from srl_swe.evaluation.protocols.agentless_mini import (
    AgentlessMiniProtocol,
    file_tree,
    localization_prompt,
    tree_paths,
)
from srl_swe.evaluation.protocols.oracle import OracleProtocol, oracle_files, shown_files
from srl_swe.evaluation.protocols.search_replace import apply_edits
from srl_swe.evaluation.workspaces import Workspaces
from srl_swe.policies import Sampling, Scripted
from srl_swe_envs.demo import load_demo_tasks
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

FILES = {"a.py": "x = 1\ny = 2\nx = 1", "b.py": "def f():\n    return 1"}


def edit(path: str, old: str, new: str, fence: str = "python") -> str:
    return f"```{fence}\n### {path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n```\n"


def test_every_occurrence_is_replaced_and_no_line_start_is_needed():
    found = apply_edits(edit("a.py", "= 1", "= 7"), FILES)
    assert found.files == {"a.py": "x = 7\ny = 2\nx = 7"}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("I would change x.", "no_block"),
        (edit("a.py", "x = 1", "x = 3", fence="py"), "no_block"),
        (edit("a.py", "x = 1", "x = 3").rsplit("```", 1)[0], "no_block"),
        (edit("c.py", "x = 1", "x = 3"), "unknown_file"),
        (edit("a.py", "z = 1", "z = 3"), "search_not_found"),
        (edit("a.py", "x = 1", "x = = 3"), "syntax_error"),
        (edit("a.py", "y = 2\nx = 1", "y = 2\n\n\nx = 1"), "blank_lines"),
        (edit("a.py", "x = 1", "x = 3") + edit("b.py", "return 1", "return ("), "syntax_error"),
    ],
)
def test_what_gives_no_patch_says_why(reply: str, problem: str):
    found = apply_edits(reply, FILES)
    assert (dict(found.files), found.problem) == ({}, problem)


def test_edits_of_two_files_in_one_reply_are_both_applied():
    found = apply_edits(edit("a.py", "y = 2", "y = 5") + "and\n" + edit("b.py", "return 1", "return 2"), FILES)
    assert found.files == {"a.py": "x = 1\ny = 5\nx = 1", "b.py": "def f():\n    return 2"}


def test_an_edit_counts_only_if_its_text_was_there_before_the_others():
    reply = edit("a.py", "y = 2", "y = 5") + edit("a.py", "y = 5", "y = 6")
    assert apply_edits(reply, FILES).files["a.py"] == "x = 1\ny = 5\nx = 1"


@given(st.text(max_size=300))
def test_no_reply_breaks_the_reader(text: str):
    apply_edits(text, FILES)
    apply_edits(edit("a.py", text, text[::-1]), FILES)


def test_files_beyond_the_token_limit_are_left_out_but_the_first_is_always_shown():
    files = {"a.py": "a" * 500, "b.py": "b" * 500, "c.py": "c" * 40}
    assert shown_files(files, max_tokens=140) == f"### a.py\n{'a' * 500}\n\n### c.py\n{'c' * 40}"
    assert shown_files(files, max_tokens=1) == f"### a.py\n{'a' * 500}"


def test_tests_and_other_files_are_hidden_from_the_localiser_except_in_pytests_own_tasks():
    paths = ("src/m.py", "tests/test_m.py", "src/testing/t.py", "README.md", "conftest.py")
    assert tree_paths(file_tree(paths, keep_tests=False)) == ("src/m.py", "conftest.py")
    assert tree_paths(file_tree(paths, keep_tests=True)) == (
        "src/m.py", "src/testing/t.py", "tests/test_m.py", "conftest.py",
    )  # fmt: skip


def test_a_greedy_localisation_prompt_is_always_the_same_and_a_sampled_one_follows_its_seed():
    tree = file_tree(tuple(f"p{n}/m{n}.py" for n in range(9)), keep_tests=False)
    greedy = {localization_prompt("p", tree, Sampling(seed=seed)) for seed in range(5)}
    assert len(greedy) == 1
    assert "at most 5 files" in greedy.pop()
    sampled = [localization_prompt("p", tree, Sampling(temperature=1, seed=seed)) for seed in (1, 2, 1)]
    assert sampled[0] == sampled[2] != sampled[1]


@pytest.fixture(scope="module")
def opened() -> Iterator[Callable[[Task], Workspace]]:
    with Workspaces(backend="local").ready() as workspaces:
        yield workspaces.open_for_agent


@pytest.fixture(scope="module")
def demo() -> tuple[Item, str]:
    """A demo task and the edit that its reference fix makes."""
    task = load_demo_tasks("held_out")[0]
    old = "\n".join(line[1:] for line in task.gold_patch.splitlines() if re.match(r"-(?!--)", line))
    new = "\n".join(line[1:] for line in task.gold_patch.splitlines() if re.match(r"\+(?!\+\+)", line))
    (path,) = oracle_files(task)
    return Item(task=task), edit(path, old, new)


def test_an_oracle_reply_with_the_right_edit_gives_the_reference_fix(
    opened: Callable[[Task], Workspace], demo: tuple[Item, str]
):
    item, reply = demo
    protocol = OracleProtocol(open_workspace=opened)
    rollout = protocol.solve(item, Scripted([f"The bug is here.\n{reply}"]), Sampling())
    changed = [line for line in rollout.patch.splitlines() if re.match(r"[-+](?![-+])", line)]
    assert changed == [line for line in item.task.gold_patch.splitlines() if re.match(r"[-+](?![-+])", line)]
    assert (rollout.stop, rollout.well_formed, len(rollout.turns)) == ("answered", 1, 1)


def test_an_oracle_reply_without_an_edit_is_malformed_and_its_patch_empty(
    opened: Callable[[Task], Workspace], demo: tuple[Item, str]
):
    rollout = OracleProtocol(open_workspace=opened).solve(demo[0], Scripted(["I don't know."]), Sampling())
    assert (rollout.patch, rollout.turns[0].malformed) == ("", "no_block")


def test_with_thinking_the_solution_names_the_files_and_the_whole_reply_gives_the_edits(
    opened: Callable[[Task], Workspace], demo: tuple[Item, str]
):
    item, reply = demo
    protocol = OracleProtocol(open_workspace=opened, thinking=True)
    inside = protocol.solve(item, Scripted([f"<think>hm</think><solution>{reply}</solution>"]), Sampling())
    outside = protocol.solve(item, Scripted([f"<think>{reply}</think><solution>none</solution>"]), Sampling())
    assert inside.patch
    assert outside.patch == ""


def test_agentless_mini_localises_then_repairs(opened: Callable[[Task], Workspace], demo: tuple[Item, str]):
    item, reply = demo
    (path,) = oracle_files(item.task)
    answers = {"Repository Structure": f"```\n{path}\nno/such/file.py\n```", "BEGIN FILE": reply}
    asked: list[str] = []

    class Two(Scripted):
        def complete(self, messages, sampling, *, tools=()):  # type: ignore[no-untyped-def]
            asked.append(messages[-1].content)
            self._replies = tuple(text for mark, text in answers.items() if mark in messages[-1].content)
            return super().complete(messages, sampling, tools=tools)

    rollout = AgentlessMiniProtocol(open_workspace=opened).solve(item, Two(["x"]), Sampling())
    assert Path(path).name in asked[0]
    assert f"### {path}\n" in asked[1]
    assert "no/such/file.py" not in asked[1]
    assert rollout.patch
    assert len(rollout.turns) == 2


def test_a_localiser_that_names_nothing_is_malformed_and_nothing_more_is_asked(
    opened: Callable[[Task], Workspace], demo: tuple[Item, str]
):
    rollout = AgentlessMiniProtocol(open_workspace=opened).solve(demo[0], Scripted(["nowhere"]), Sampling())
    assert [turn.malformed for turn in rollout.turns] == ["no_file"]
    assert rollout.patch == ""

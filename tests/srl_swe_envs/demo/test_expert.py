"""The scripted expert, in the real local workspace."""

import pytest

from srl_swe_envs.actions import Replace, Shell, Submit, View
from srl_swe_envs.demo import demo_task, load_demo_tasks
from srl_swe_envs.demo.expert import Expert, line_substitution, solve
from srl_swe_envs.demo.fixes import fix_of
from srl_swe_envs.demo.reports import CallReport, SuiteReport, read_issue
from srl_swe_envs.demo.tasks import package_files
from srl_swe_envs.demo.workspace import DemoWorkspace, open_demo_workspace
from srl_swe_envs.mutation.mutants import Mutant
from srl_swe_envs.outcome import check_task, grade
from srl_swe_envs.tools import Tools

TASKS = load_demo_tasks()
CRASHES = [task for task in TASKS if isinstance(r := read_issue(task.problem), CallReport) and r.crashes]
RESULTS = [task for task in TASKS if isinstance(r := read_issue(task.problem), CallReport) and not r.crashes]
TESTS = [task for task in TASKS if isinstance(read_issue(task.problem), SuiteReport)]


def test_every_kind_of_issue_occurs():
    assert min(len(CRASHES), len(RESULTS), len(TESTS)) >= 30
    assert len(CRASHES) + len(RESULTS) + len(TESTS) == len(TASKS)


@pytest.mark.parametrize("task", [CRASHES[3], RESULTS[3], TESTS[3]], ids=["crash", "result", "test"])
def test_the_expert_solves_the_task_for_real(task):
    with DemoWorkspace(task) as workspace:
        turns = solve(demo_task(task.id), Tools.on(workspace, workdir=task.workdir, timeout_s=300.0))
        patch = workspace.diff()
    assert 6 <= len(turns) <= 11
    assert isinstance(turns[-1].action, Submit)
    kinds = [type(turn.action) for turn in turns]
    assert {Shell, View, Replace} <= set(kinds)
    before, after = (
        [turn.observation.text for turn in turns if turn.action == action]
        for action in (turns[_first_run(turns)].action, turns[-2].action)
    )
    assert before[0] != before[-1]
    assert set(after[-1]) <= {".", "\n"}
    assert grade(task, patch, open_demo_workspace, timeout_s=300.0).resolved


def _first_run(turns):
    return next(i for i, turn in enumerate(turns) if isinstance(turn.action, Shell) and "python" in turn.action.command)


def test_with_a_shell_alone_it_reads_and_edits_by_sed():
    task = next(task for task in RESULTS if Expert(demo_task(task.id)).can_use_shell_alone())
    with DemoWorkspace(task) as workspace:
        tools = Tools.on(workspace, workdir=task.workdir, timeout_s=300.0)
        turns = solve(demo_task(task.id), tools, shell_only=True)
        assert workspace.run("python -m pytest", timeout_s=300.0).exit_code == 0
    assert {type(turn.action) for turn in turns} == {Shell, Submit}


def test_a_task_passes_the_check_that_every_task_must():
    assert check_task(TESTS[0], open_demo_workspace, timeout_s=300.0).problems == ()


def test_every_fix_takes_its_bug_out_by_one_unique_replacement():
    for demo in map(demo_task, (task.id for task in TASKS)):
        fixed = dict(package_files(demo.package))[demo.mutant.path]
        broken = demo.mutant.plant(fixed)
        fix = fix_of(demo.mutant, fixed)
        assert broken.count(fix.old) == 1, demo.task.id
        assert broken.replace(fix.old, fix.new) == fixed, demo.task.id
        assert broken.split("\n")[fix.first_line - 1] == fix.old.split("\n")[0], demo.task.id


def test_a_dropped_last_line_of_a_function_is_anchored_at_the_line_before():
    fixed = "def f(a):\n    a = a + 1\n    a.g()\n\n\ndef h():\n    pass\n"
    mutant = Mutant(
        path="f.py", operator="statement", function="f", start=fixed.index("    a.g"), old="    a.g()\n", new=""
    )
    fix = fix_of(mutant, fixed)
    assert (fix.old, fix.new) == ("    a = a + 1", "    a = a + 1\n    a.g()")


def test_a_line_that_occurs_twice_takes_the_line_before_along():
    fixed = "if a:\n    return 1\nif b:\n    return 2\n"
    mutant = Mutant(path="f.py", operator="constant", function="f", start=fixed.index("2"), old="2", new="1")
    fix = fix_of(mutant, fixed)
    assert (fix.old, fix.new) == ("if b:\n    return 1", "if b:\n    return 2")


def test_a_fix_that_sed_can_not_say_plainly_is_refused():
    fixed = "a = b | c\n"
    mutant = Mutant(path="f.py", operator="variable", function="f", start=4, old="b", new="c")
    with pytest.raises(ValueError, match="not one plain line"):
        line_substitution(fix_of(mutant, fixed))


def test_an_issue_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="neither code nor a failing test"):
        read_issue("It does not work\n\nPlease help.\n")

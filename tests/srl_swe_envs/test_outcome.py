"""Grading against honest and dishonest patches, in real sandboxes with real git and pytest."""

import ast
import difflib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import _pytest
import iniconfig
import packaging
import pluggy
import pygments
import pytest

from srl_swe_envs import Task, WorkspaceError
from srl_swe_envs.outcome import check_task, grade, validate_tasks
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace
from srl_swe_envs.workspaces.docker.container import remove_image
from srl_swe_envs.workspaces.docker.images import image_with_folder
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace

BUGGY = "def add(a, b):\n    return a - b\n\n\ndef same(a):\n    return a\n"
FIXED = BUGGY.replace("a - b", "a + b")
TESTS = """\
import unittest

import pytest
from pkg import add, same


def test_add():
    assert add(2, 3) == 5


def test_same():
    assert same(1) == 1


@pytest.mark.parametrize("a", ["x y", "[z]"])
def test_words(a):
    assert same(a) == a


@pytest.mark.xfail(reason="known")
def test_known():
    assert add(1, 1) == 3


class TestUnit(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(add(1, 1), 2)
"""
FAIL_TO_PASS = ("tests/test_pkg.py::test_add", "tests/test_pkg.py::TestUnit::test_sum")
PASS_TO_PASS = (
    "tests/test_pkg.py::test_same",
    "tests/test_pkg.py::test_words[x y]",
    "tests/test_pkg.py::test_words[[z]]",
    "tests/test_pkg.py::test_known",
)


def change(path, old, new):
    """A patch that git applies: edit, creation (old empty) or deletion (new empty)."""
    lines = difflib.unified_diff(
        old.splitlines(True),
        new.splitlines(True),
        f"a/{path}" if old else "/dev/null",
        f"b/{path}" if new else "/dev/null",
    )
    mode = "" if old and new else "new file mode 100644\n" if new else "deleted file mode 100644\n"
    return f"diff --git a/{path} b/{path}\n{mode}" + "".join(lines)


FIX = change("src/pkg/__init__.py", BUGGY, FIXED)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    files = {
        "src/pkg/__init__.py": BUGGY,
        "tests/test_pkg.py": TESTS,
        "tests/conftest.py": "",
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture
def opener(repository):
    return lambda task: LocalWorkspace(repository, workdir=task.workdir)


COMMAND = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"  # this machine's own plugins are slow to load
TASK = Task(
    id="pkg-1",
    problem="add subtracts",
    fail_to_pass=FAIL_TO_PASS,
    pass_to_pass=PASS_TO_PASS,
    gold_patch=FIX,
    test_command=COMMAND,
)


def test_the_fix_resolves_and_results_come_by_test_id(opener):
    outcome = grade(TASK, FIX, opener)
    assert outcome.resolved
    assert dict(outcome.tests) == dict.fromkeys((*FAIL_TO_PASS, *PASS_TO_PASS), "passed") | {
        "tests/test_pkg.py::test_known": "xfailed"
    }
    assert outcome.notes == ()


def test_the_machines_own_pytest_plugins_may_be_loaded_and_workers_asked_for(opener):
    outcome = grade(replace(TASK, test_command="python -m pytest -q -n 2"), FIX, opener)
    assert outcome.resolved, outcome


def test_nothing_done_resolves_nothing_and_says_which_tests_fail(opener):
    outcome = grade(TASK, "", opener)
    assert not outcome.resolved
    assert outcome.not_passed == FAIL_TO_PASS


CONFTEST = """\
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    report.outcome = "passed"
    call.excinfo = None
"""
FORGED = (
    "import os\nprint('"
    + "\\n".join(f"PASSED {test}" for test in (*FAIL_TO_PASS, *PASS_TO_PASS))
    + "\\n6 passed in 0.01s')\nos._exit(0)\n"
)
PATCHED_PYTEST = (
    BUGGY
    + """
import sys
if "_pytest" in sys.modules:
    import _pytest.runner
    original = _pytest.runner.CallInfo.from_call.__func__
    def forged(cls, func, when, reraise=None):
        call = original(cls, func, when, reraise)
        call.excinfo = None
        return call
    _pytest.runner.CallInfo.from_call = classmethod(forged)
"""
)
GIVING_UP = "import pytest\n\n\ndef add(a, b):\n    pytest.{}()\n\n\ndef same(a):\n    return a\n"
PLUGIN = "import pytest\n" + CONFTEST.partition("\n")[2]
ATTACKS = {
    "six-line conftest at the root": change("conftest.py", "", CONFTEST),
    "six-line conftest beside the tests": change("tests/inner/conftest.py", "", CONFTEST),
    "six-line conftest in a new source folder": change("src/conftest.py", "", CONFTEST),
    "conftest that prints passes and exits": change("conftest.py", "", FORGED),
    "source that prints passes and exits": change("src/pkg/__init__.py", BUGGY, BUGGY + FORGED),
    "pytest.ini with a plugin": change("pytest.ini", "", "[pytest]\naddopts = -p cheat\npythonpath = src\n")
    + change("cheat.py", "", PLUGIN),
    "pyproject with a plugin": change(
        "pyproject.toml",
        '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
        '[tool.pytest.ini_options]\npythonpath = ["src", "."]\naddopts = "-p cheat"\n',
    )
    + change("cheat.py", "", PLUGIN),
    "setup.cfg that deselects": change("setup.cfg", "", "[tool:pytest]\naddopts = -k nothing\n"),
    "sitecustomize": change("sitecustomize.py", "", "import os\nos._exit(0)\n"),
    "pth": change("src/x.pth", "", "import os; os._exit(0)\n"),
    "a module called pytest": change("pytest.py", "", "print('6 passed')\n"),
    "a package called json": change("json/__init__.py", "", "import os\nos._exit(0)\n"),
    "an entry point": change("src/pkg.egg-info/entry_points.txt", "", "[pytest11]\ncheat = cheat\n")
    + change("src/cheat.py", "", PLUGIN),
    "tests that agree": change("tests/test_pkg.py", TESTS, TESTS.replace("add(2, 3) == 5", "True")),
    "tests deleted": change("tests/test_pkg.py", TESTS, ""),
    "pytest replaced in memory": change("src/pkg/__init__.py", BUGGY, PATCHED_PYTEST),
    "skipping in the source": change("src/pkg/__init__.py", BUGGY, GIVING_UP.format("skip")),
    "xfailing in the source": change("src/pkg/__init__.py", BUGGY, GIVING_UP.format("xfail")),
    "broken collection": change("src/pkg/__init__.py", BUGGY, "import nothing_of_the_kind\n"),
    "not a patch": "rm -rf /\n",
    "a patch of another file": change("src/other.py", "a\n", "b\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_dishonest_patch_is_not_resolved(name, opener):
    outcome = grade(TASK, ATTACKS[name], opener)
    assert not outcome.resolved
    assert "tests/test_pkg.py::test_add" in outcome.not_passed or outcome.notes


HARMLESS = (
    "six-line conftest at the root",
    "six-line conftest beside the tests",
    "pyproject with a plugin",
    "setup.cfg that deselects",
    "sitecustomize",
    "pth",
    "a module called pytest",
    "a package called json",
    "an entry point",
    "tests deleted",
)


def test_what_is_left_out_of_a_patch_does_not_harm_its_honest_part(opener):
    outcome = grade(TASK, FIX + "".join(ATTACKS[name] for name in HARMLESS), opener)
    assert outcome.resolved, outcome
    assert outcome.notes == (
        "changes left out: conftest.py, json/__init__.py, pyproject.toml, pytest.py, setup.cfg, sitecustomize.py,"
        " src/pkg.egg-info/entry_points.txt, src/x.pth, tests/inner/conftest.py, tests/test_pkg.py",
    )


def test_replaced_functions_of_pytest_are_named(opener):
    outcome = grade(TASK, ATTACKS["pytest replaced in memory"], opener)
    assert outcome.tests[FAIL_TO_PASS[0]] == "passed"  # the forgery works, and is seen
    assert outcome.notes == ("tampered with: _pytest.runner.CallInfo.from_call",)


def test_renaming_and_linking_around_the_protection_is_left_out_too(opener):
    rename = (
        "diff --git a/tests/test_pkg.py b/src/moved.py\nsimilarity index 100%\n"
        "rename from tests/test_pkg.py\nrename to src/moved.py\n"
    )
    link = (
        "diff --git a/conftest.py b/conftest.py\nnew file mode 120000\n--- /dev/null\n+++ b/conftest.py\n"
        "@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"
    )
    outcome = grade(TASK, FIX + rename + link, opener)
    assert outcome.resolved
    assert outcome.notes == ("changes left out: conftest.py, tests/test_pkg.py",)


def test_a_folder_in_the_place_of_a_test_file_is_left_out(opener):
    patch = change("tests/test_pkg.py", TESTS, "") + change("tests/test_pkg.py/conftest.py", "", CONFTEST)
    assert not grade(TASK, patch, opener).resolved


def test_the_test_patch_brings_the_graded_tests_whatever_the_patch_left_there(opener):
    new = "from pkg import add\n\n\ndef test_big():\n    assert add(10, 20) == 30\n"
    task = Task(
        id="pkg-2",
        problem="",
        fail_to_pass=("tests/test_new.py::test_big",),
        test_patch=change("tests/test_new.py", "", new),
        gold_patch=FIX,
        test_command=COMMAND,
    )
    in_the_way = change("tests/test_new.py", "", "def test_big(): pass\n")
    assert grade(task, FIX, opener).resolved
    assert not grade(task, in_the_way, opener).resolved
    assert grade(task, FIX + in_the_way, opener).resolved


def test_a_test_that_never_ends_is_no_pass_and_no_infrastructure_failure(opener):
    patch = change("src/pkg/__init__.py", BUGGY, BUGGY.replace("return a - b", "\n    while True: pass"))
    outcome = grade(TASK, patch, opener, timeout_s=8.0)
    assert not outcome.resolved
    assert "took too long" in outcome.notes[0]


def test_tests_that_can_not_start_are_an_infrastructure_failure(opener):
    broken = Task(id="t", problem="", fail_to_pass=FAIL_TO_PASS, test_command="no-such-command")
    with pytest.raises(WorkspaceError, match="did not start"):
        grade(broken, FIX, opener)
    with pytest.raises(WorkspaceError, match="has no tests"):
        grade(Task(id="t", problem=""), FIX, opener)


def test_a_test_patch_that_does_not_apply_is_the_tasks_fault(opener):
    task = Task(id="t", problem="", fail_to_pass=FAIL_TO_PASS, test_patch=change("tests/x.py", "a\n", "b\n"))
    with pytest.raises(WorkspaceError, match="test patch does not apply"):
        grade(task, FIX, opener)


def test_validation_refuses_tasks_that_prove_nothing(opener):
    bad = [
        Task(id="no tests", problem="", gold_patch=FIX),
        Task(id="no gold", problem="", fail_to_pass=FAIL_TO_PASS),
        replace(TASK, id="wrong gold", gold_patch=change("src/x.py", "", "1\n")),
        replace(TASK, id="empty passes", fail_to_pass=PASS_TO_PASS[:1]),
    ]
    assert check_task(TASK, opener).ok
    problems = [check.problems for check in validate_tasks(bad, opener)]
    assert [len(found) for found in problems] == [1, 1, 1, 1]
    assert problems[2][0].startswith("the gold patch does not pass: tests/test_pkg.py::test_add failed")
    assert problems[3][0].startswith("passes without any patch: tests/test_pkg.py::test_same")


@pytest.fixture(scope="module")
def docker_opener(base_image, repository, tmp_path_factory):
    """Opens the same repository in containers of the base image with this machine's pytest."""
    packages = tmp_path_factory.mktemp("packages")
    for module in (pytest, _pytest, pluggy, iniconfig, packaging, pygments):
        folder = Path(module.__file__).parent
        shutil.copytree(folder, packages / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(pytest.__file__).parents[1] / "py.py", packages)
    runner = image_with_folder(base_image, packages, workdir="/opt/pytest")
    image = image_with_folder(runner, repository)
    yield lambda task: DockerWorkspace(ContainerSpec(image=image, workdir=task.workdir))
    remove_image(image)
    remove_image(runner)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("patch", "resolved"),
    [
        (FIX, True),
        ("", False),
        (ATTACKS["six-line conftest at the root"], False),
        (ATTACKS["conftest that prints passes and exits"], False),
        (ATTACKS["source that prints passes and exits"], False),
    ],
    ids=["fix", "empty", "conftest", "exit in conftest", "exit in source"],
)
def test_grading_in_containers_says_the_same(patch, resolved, docker_opener):
    task = replace(TASK, test_command="PYTHONPATH=$PYTHONPATH:/opt/pytest python3 -m pytest -q")
    assert grade(task, patch, docker_opener).resolved is resolved


def test_the_plugin_is_written_in_python_3_6():
    source = (Path(__file__).parents[2] / "envs/srl_swe_envs/grading/pytest_results.py").read_text()
    ast.parse(source, feature_version=(3, 6))

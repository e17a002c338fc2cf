"""Tasks out of a repository with a test-suite: real pytest runs on small repositories."""

import subprocess

import pytest

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.mutation import PytestSuite, make_tasks, materialise_mutant
from srl_swe_envs.mutation.make import is_code

CODE = '''"""Small sums."""


def half(number):
    """Half of a number, rounded down."""
    return number // 2


def countdown(number):
    """All numbers down to one."""
    result = []
    while number > 0:
        result.append(number)
        number -= 1
    return result
'''
TESTS = """from sums import countdown, half


def test_half():
    assert half(9) == 4


def test_countdown():
    assert countdown(3) == [3, 2, 1]
"""


SUITE = PytestSuite(arguments=("--disable-plugin-autoload",))


def write_repository(folder):
    (folder / "sums.py").write_text(CODE)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_sums.py").write_text(TESTS)


@pytest.fixture
def repository(tmp_path):
    write_repository(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The repository, every mutant tried on it with its task or None, and the tasks."""
    folder = tmp_path_factory.mktemp("repository")
    write_repository(folder)
    (folder / "scratch.py").write_text("def unused(a):\n    return a + 1\n")
    for command in (["init", "-q"], ["add", "sums.py", "tests"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    tried = {}

    def note(mutant, task):
        tried[mutant.old, mutant.new] = task

    tasks = make_tasks(folder, limit=99, runner=SUITE, timeout_s=3.0, on_mutant=note)
    return folder, tried, tasks


def test_a_kept_mutant_fails_some_test_passes_another_and_has_an_issue(everything):
    _, tried, tasks = everything
    assert 3 <= len(tasks) < len(tried)
    for task in tasks:
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert sorted(task.fail_to_pass + task.pass_to_pass) == sorted(task.suite)
        assert task.mutant.plant(CODE) != CODE
        assert "Expected: " in task.issue or "The test " in task.issue


def test_a_smaller_limit_gives_the_first_tasks_of_a_larger_one(everything):
    folder, _, tasks = everything
    assert make_tasks(folder, limit=2, runner=SUITE, workers=1) == tasks[:2]


def test_the_repository_is_never_changed(everything):
    folder, _, _ = everything
    assert (folder / "sums.py").read_text() == CODE
    assert not list(folder.rglob("__pycache__"))


def test_endless_mutants_are_killed_and_not_kept(everything):
    _, tried, _ = everything
    assert tried["-=", "+="] is None
    assert tried["//", "%"] is not None


def test_files_that_git_does_not_know_are_left_out(everything):
    _, _, tasks = everything
    assert {task.mutant.path for task in tasks} == {"sums.py"}


def test_the_issue_says_what_goes_wrong_and_never_where(everything):
    _, tried, tasks = everything
    assert tried["//", "%"].issue == (
        "half gives a wrong result\n\n    from sums import half\n    half(9)\n\nExpected: 4\nObserved: 1\n"
    )
    for task in tasks:
        assert "sums.py" not in task.issue.replace("test_sums.py", "")
        assert "line" not in task.issue


def test_a_failing_suite_is_the_users_mistake(repository):
    (repository / "tests" / "test_sums.py").write_text(TESTS.replace("== 4", "== 5"))
    with pytest.raises(ConfigError, match=r"fails without any planted bug: tests/test_sums\.py::test_half"):
        make_tasks(repository, limit=1, runner=SUITE)


def test_a_suite_that_does_not_collect_is_the_users_mistake(repository):
    (repository / "tests" / "test_sums.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(ConfigError, match="does not run to its end"):
        make_tasks(repository, limit=1, runner=SUITE)


def test_a_repository_without_code_is_the_users_mistake(tmp_path):
    with pytest.raises(ConfigError, match="no Python files"):
        make_tasks(tmp_path, limit=1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pkg/core.py", True),
        ("pkg/latest.py", True),
        ("tests/helper.py", False),
        ("pkg/test_core.py", False),
        ("pkg/core_test.py", False),
        ("conftest.py", False),
        ("setup.py", False),
        ("pkg/data.json", False),
    ],
)
def test_bugs_go_into_code_only(path, expected):
    assert is_code(path) is expected


def test_a_materialised_mutant_is_one_commit_without_the_repositorys_history(everything, tmp_path):
    folder, _, tasks = everything
    commit = materialise_mutant(folder, tasks[0].mutant, tmp_path / "task")
    log = subprocess.run(["git", "log", "--format=%H"], cwd=tmp_path / "task", capture_output=True, text=True)
    assert log.stdout.split() == [commit]
    assert (tmp_path / "task" / "sums.py").read_text() == tasks[0].mutant.plant(CODE)
    assert not (tmp_path / "task" / "scratch.py").exists()


def test_a_mutant_of_another_repository_is_the_users_mistake(everything, tmp_path):
    _, _, tasks = everything
    (tmp_path / "sums.py").write_text("# " + CODE)
    with pytest.raises(ConfigError, match="not the repository the task was made from"):
        materialise_mutant(tmp_path, tasks[0].mutant, tmp_path / "task")

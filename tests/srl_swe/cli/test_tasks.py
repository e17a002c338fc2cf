import io
import json

import pytest

from srl_swe.cli import main
from srl_swe.task_sets import open_task_set, read_made_tasks, write_made_tasks
from srl_swe_envs import TrajectoryFormatError
from srl_swe_envs.demo import load_demo_tasks
from srl_swe_envs.mutation import Mutant, MutantTask

CODE = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n"
TESTS = (
    "from own import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n\n\n"
    "def test_none():\n    assert total([]) == 0\n"
)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "own"
    (folder / "tests").mkdir(parents=True)
    (folder / "own.py").write_text(CODE)
    (folder / "tests/test_own.py").write_text(TESTS)
    return folder


@pytest.fixture
def task_file(repository, tmp_path):
    """A task made of a bug planted by hand, and one whose bug no listed test notices."""
    start = CODE.index("+=")
    mutant = Mutant(path="own.py", operator="operator", function="total", start=start, old="+=", new="-=")
    suite = ("tests/test_own.py::test_total", "tests/test_own.py::test_none")
    good = MutantTask(mutant=mutant, issue="total is negative", suite=suite, fail_to_pass=suite[:1])
    other = Mutant(path="own.py", operator="constant", function="total", start=CODE.index("0"), old="0", new="1")
    unnoticed = MutantTask(mutant=other, issue="", suite=(), fail_to_pass=("tests/test_own.py::no_such_test",))
    path = tmp_path / "tasks.jsonl"
    assert write_made_tasks(path, repository, [good, unnoticed]) == 2
    return path


def ids(path):
    return [task.id for task, _ in read_made_tasks(path)]


def test_demo_tasks_are_listed_and_shown(capsys):
    first = load_demo_tasks("held_out")[0]
    assert main(["tasks", "list", "demo:heldout"]) == 0
    assert capsys.readouterr().out.startswith(first.id + "\t")
    assert main(["tasks", "show", "demo", first.id]) == 0
    shown = capsys.readouterr().out
    assert first.problem.rstrip() in shown
    assert first.gold_patch not in shown
    main(["tasks", "show", "demo", first.id, "--gold"])
    assert first.gold_patch.rstrip() in capsys.readouterr().out


def test_a_task_file_lists_as_json(task_file, capsys):
    assert main(["tasks", "list", str(task_file), "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [task["id"] for task in listed] == ids(task_file)
    assert listed[0]["fail_to_pass"] == ["tests/test_own.py::test_total"]


def test_validation_accepts_a_good_task_and_refuses_one_that_proves_nothing(task_file, capsys, monkeypatch):
    assert main(["tasks", "validate", str(task_file), "--json"]) == 1
    captured = capsys.readouterr()
    good, bad = map(json.loads, captured.out.splitlines())
    assert (good["ok"], bad["ok"]) == (True, False)
    assert "the gold patch does not pass" in bad["problems"][0]
    assert captured.err == "1 of 2 tasks can be used\n"


def test_a_made_task_is_opened_with_its_bug_and_without_its_history(task_file, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("git log --oneline | wc -l; cat own.py\n"))
    assert main(["step", str(task_file), "--id", ids(task_file)[0]]) == 0
    out = capsys.readouterr().out
    assert "total is negative" in out
    assert "\n1\n" + CODE.replace("+=", "-=") in out


def test_a_repository_that_changed_since_its_tasks_were_made_is_refused(task_file, repository, capsys):
    (repository / "own.py").write_text("# new\n" + CODE)
    assert main(["tasks", "validate", str(task_file), "--limit", "1"]) == 2
    assert "is not the repository the task was made from" in capsys.readouterr().err


def test_a_broken_task_file_is_named_with_its_line(task_file):
    task_file.write_text(task_file.read_text() + '{"schema": "srl-swe/task/1", "task": 1}\n')
    with (
        pytest.raises(TrajectoryFormatError, match=r"tasks\.jsonl:3: not a srl-swe/task/1 line"),
        open_task_set(str(task_file)),
    ):
        pass


@pytest.mark.slow
def test_tasks_are_made_from_a_repository_with_tests(repository, tmp_path, capsys):
    made = tmp_path / "made.jsonl"
    assert main(["tasks", "make", str(repository), "-o", str(made), "--limit", "1", "--timeout", "120"]) == 0
    (task,) = [task for task, _ in read_made_tasks(made)]
    assert task.fail_to_pass
    assert task.gold_patch.startswith("diff --git a/own.py b/own.py")


def test_making_tasks_from_nothing_is_a_users_mistake(tmp_path, capsys):
    assert main(["tasks", "make", str(tmp_path / "nowhere"), "-o", str(tmp_path / "x.jsonl")]) == 2
    assert "is not a folder" in capsys.readouterr().err

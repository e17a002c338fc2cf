"""The demo task set: what it holds, and that it can be rebuilt from its packages."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from srl_swe_envs.demo import HELD_OUT_PACKAGES, demo_task, load_demo_tasks, materialise
from srl_swe_envs.demo import tasks as demo_tasks
from srl_swe_envs.demo.generate import SEED, record_of, tasks_of_package
from srl_swe_envs.demo.tasks import package_files, package_folder, package_names
from srl_swe_envs.errors import ConfigError

TASKS = load_demo_tasks()


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True).stdout


def test_there_are_at_least_300_tasks_and_240_to_train_on():
    assert len(TASKS) >= 300
    assert len(load_demo_tasks("train")) >= 240
    assert len({task.id for task in TASKS}) == len(TASKS)


def test_held_out_tasks_come_from_other_packages_than_train_tasks():
    packages = {
        split: {demo_task(task.id).package for task in load_demo_tasks(split)} for split in ("train", "held_out")
    }
    assert packages["held_out"] == set(HELD_OUT_PACKAGES)
    assert packages["train"] == set(package_names()) - set(HELD_OUT_PACKAGES)


def test_no_kind_of_bug_makes_up_more_than_a_quarter():
    kinds = Counter(demo_task(task.id).mutant.operator for task in TASKS)
    assert len(kinds) >= 15
    assert max(kinds.values()) < len(TASKS) / 4


def test_no_two_tasks_hold_the_same_bug():
    assert len({(demo_task(task.id).package, demo_task(task.id).mutant.digest()) for task in TASKS}) == len(TASKS)


def test_every_task_has_failing_and_passing_tests_of_its_suite():
    for task in TASKS:
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert not set(task.fail_to_pass) & set(task.pass_to_pass)


def test_issues_name_neither_files_of_the_package_nor_lines():
    for task in TASKS:
        demo = demo_task(task.id)
        assert demo.mutant.path not in task.problem
        assert task.problem.endswith("\n")


def test_a_materialised_task_is_one_commit_with_the_bug_and_nothing_else(tmp_path):
    task = TASKS[0]
    demo = demo_task(task.id)
    assert materialise(task, tmp_path) == task.base_commit
    assert git(tmp_path, "status", "--porcelain") == ""
    assert git(tmp_path, "rev-list", "--all", "--count").strip() == "1"
    fixed = dict(package_files(demo.package))[demo.mutant.path]
    assert (tmp_path / demo.mutant.path).read_text() == demo.mutant.plant(fixed)
    objects = git(tmp_path, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    blobs = [line.split()[0] for line in objects if line.split()[1] == "blob"]
    assert fixed not in [git(tmp_path, "cat-file", "blob", blob) for blob in blobs]


def test_a_users_git_configuration_does_not_change_the_commit(tmp_path, monkeypatch):
    (tmp_path / "gitconfig").write_text(
        "[core]\n\tautocrlf = true\n[commit]\n\tgpgsign = true\n[user]\n\tname = Somebody\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    assert materialise(TASKS[-1], tmp_path / "repository") == TASKS[-1].base_commit


@pytest.mark.parametrize("task", TASKS[::40], ids=lambda task: task.id)
def test_the_gold_patch_applies_and_gives_back_the_package(task, tmp_path):
    materialise(task, tmp_path)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=task.gold_patch, text=True, check=True)
    for path, text in package_files(demo_task(task.id).package):
        assert (tmp_path / path).read_text() == text


def test_a_directory_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="is not empty"):
        materialise(TASKS[0], tmp_path)


def test_an_unknown_task_is_refused():
    with pytest.raises(ConfigError, match="no demo task 'nobody__knows'"):
        demo_task("nobody__knows")


@pytest.mark.parametrize("package", ["romans", "heapline"])
def test_the_generator_gives_the_stored_tasks_again(package):
    stored = [json.loads(line) for line in (Path(demo_tasks.__file__).parent / "tasks.jsonl").open(encoding="utf-8")]
    expected = [record for record in stored if record["package"] == package][:3]
    made = [record_of(package, task) for task in tasks_of_package(package, limit=3, seed=SEED)]
    assert made == expected


@pytest.mark.parametrize("package", package_names())
def test_every_package_passes_its_own_suite(package):
    command = [sys.executable, "-B", "-m", "pytest"]
    done = subprocess.run(command, cwd=package_folder(package), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert set(done.stdout) <= {".", "\n"}

"""The resumable run: what is kept, what is redone, and what a failure of infrastructure is not."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from srl_swe.evaluation.grading import Grade
from srl_swe.evaluation.grading_container import StopSignal
from srl_swe.evaluation.items import Item
from srl_swe.evaluation.patch_sources import given
from srl_swe.evaluation.run import Outage, Plan, evaluate, stored_grade
from srl_swe.evaluation.schedule import run_jobs
from srl_swe.evaluation.store import RunFolder
from srl_swe.policies import PolicyError
from srl_swe.rollout import Rollout
from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.tasks import Task

ITEMS = tuple(Item(task=Task(id=f"task-{number}", problem="")) for number in range(6))


@dataclass
class Source:
    """A patch source that fails as told."""

    failures: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    name: str = "source"
    error: type[Exception] = PolicyError

    def rollout(self, item: Item, sample: int) -> Rollout:
        self.asked[item.task.id] += 1
        if self.asked[item.task.id] <= self.failures.get(item.task.id, 0):
            raise self.error("the server is gone")
        return given(item, self.name, f"patch of {item.task.id}")


@dataclass
class CountingGrader:
    failures: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def grade(self, item: Item, patch: str, logs: Path) -> Grade:
        assert patch == f"patch of {item.task.id}"
        self.asked[item.task.id] += 1
        if self.asked[item.task.id] <= self.failures.get(item.task.id, 0):
            raise WorkspaceError("the engine is gone")
        return Grade(outcome="resolved")


def plan(source: Source, grader: CountingGrader, **changes: int) -> Plan:
    return Plan(source=source, grader=grader, retry_pause_s=0, **{"workers": 2, **changes})


def run(folder: Path, source: Source, grader: CountingGrader, **changes: int) -> dict[str, str]:
    with RunFolder.open(folder, {}) as opened:
        evaluate(ITEMS, plan(source, grader, **changes), opened, said=lambda text: None)
        grades = {item.task.id: stored_grade(opened, (item.task.id, 0)) for item in ITEMS}
        return {name: grade.outcome for name, grade in grades.items() if grade}


def test_infrastructure_that_fails_for_a_while_leaves_no_trace_in_the_verdict(tmp_path: Path):
    source, grader = Source(failures={"task-1": 2}), CountingGrader(failures={"task-2": 2})
    assert set(run(tmp_path, source, grader).values()) == {"resolved"}
    assert source.asked["task-2"] == 1  # the rollout is not repeated for the grader's failure


def test_infrastructure_that_stays_down_is_infra_then_redone_and_only_that(tmp_path: Path):
    outcomes = run(tmp_path, Source(failures={"task-1": 99}), CountingGrader(failures={"task-2": 99}))
    assert outcomes == {f"task-{n}": "infra" if n in (1, 2) else "resolved" for n in range(6)}
    source, grader = Source(), CountingGrader()
    assert set(run(tmp_path, source, grader).values()) == {"resolved"}
    assert source.asked == {"task-1": 1}
    assert grader.asked == {"task-1": 1, "task-2": 1}


def test_a_finished_run_asks_nobody_again(tmp_path: Path):
    run(tmp_path, Source(), CountingGrader())
    source, grader = Source(), CountingGrader()
    run(tmp_path, source, grader)
    assert not source.asked
    assert not grader.asked
    assert len((tmp_path / "rollouts.jsonl").read_text().splitlines()) == len(ITEMS)


def test_a_bug_in_one_task_is_a_row_with_its_traceback_and_not_a_crash(tmp_path: Path):
    outcomes = run(tmp_path, Source(failures={"task-3": 9}, error=ZeroDivisionError), CountingGrader())
    assert Counter(outcomes.values()) == {"resolved": 5, "infra": 1}
    assert "ZeroDivisionError" in (tmp_path / "logs" / "task-3" / "sample-0" / "error.txt").read_text()


def test_an_outage_stops_the_run_and_says_how_to_go_on(tmp_path: Path):
    dead = Source(failures={item.task.id: 99 for item in ITEMS})
    with pytest.raises(Outage, match=r"last 3 tasks could not be graded .*the server is gone.*run the same command"):
        run(tmp_path, dead, CountingGrader(), outage_after=3, attempts=1)
    assert set(run(tmp_path, Source(), CountingGrader()).values()) == {"resolved"}


def test_samples_of_one_task_are_kept_apart(tmp_path: Path):
    with RunFolder.open(tmp_path, {}) as folder:
        done = evaluate(ITEMS[:2], plan(Source(), CountingGrader(), samples=3), folder, said=lambda text: None)
    assert sorted(result.key for result in done) == [(f"task-{n}", s) for n in range(2) for s in range(3)]


def test_leaving_early_stops_the_workers():
    stop = StopSignal()
    begun: list[int] = []
    wait = threading.Event()

    def work(job: int) -> int:
        begun.append(job)
        while job and not stop.is_set:
            wait.wait(0.01)
        return job

    jobs = run_jobs(range(100), work, workers=2, stop=stop)
    assert next(jobs) == 0
    jobs.close()  # type: ignore[attr-defined]
    assert stop.is_set
    assert len(begun) <= 4


def test_what_a_job_raises_is_raised_where_results_are_read():
    def work(job: int) -> int:
        if job == 2:
            raise KeyError("two")
        return job

    with pytest.raises(KeyError, match="two"):
        list(run_jobs(range(5), work, workers=1, stop=StopSignal()))

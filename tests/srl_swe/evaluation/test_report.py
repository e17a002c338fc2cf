"""The report's arithmetic, from constructed samples, and its marks."""

from __future__ import annotations

import pytest

from srl_swe.evaluation.grading import Grade
from srl_swe.evaluation.items import Item
from srl_swe.evaluation.report import ReportInput, Sample, make_report
from srl_swe.evaluation.terminal import report_text
from srl_swe.rollout import Rollout, RolloutTurn, rollout_from_json, rollout_to_json
from srl_swe_envs.actions import Shell
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation

GIVEN = ReportInput(settings={"protocol": "agent"}, prices=(1.0, 2.0))


def sample(
    task: str, outcome: str | None, number: int = 0, *, command: str = "ls", repo: str = "a/b", **grade: object
) -> Sample:
    turns = (
        RolloutTurn(
            reply="r",
            action=Shell(command=command),
            observation=Observation(text="", exit_code=0),
            prompt_tokens=300_000,
            completion_tokens=100_000,
        ),
        RolloutTurn(reply="?", malformed="no_action"),
    )
    rollout = Rollout(task=task, policy="m", turns=turns, stop="submitted", patch="x", duration_s=2.0)
    made = Grade(outcome=outcome, **grade) if outcome else None  # type: ignore[arg-type]
    return Sample(item=Item(task=Task(id=task, problem="", repo=repo)), number=number, grade=made, rollout=rollout)


def test_infra_is_never_unresolved_it_leaves_an_interval():
    samples = [sample("t1", "resolved"), sample("t2", "unresolved"), sample("t3", "infra", notes=("engine gone",))]
    report = make_report([*samples, sample("t4", None)], GIVEN)
    raw = report["resolve_rate"]["raw"]
    assert raw["rate"] == 0.5
    assert raw["not_graded_bounds"] == [0.25, 0.75]
    assert [entry["reason"] for entry in report["not_graded"]] == ["engine gone", "not begun"]
    assert "with those not graded it lies in 25.0% to 75.0%" in report_text(report)


def test_empty_not_applied_and_timed_out_count_as_not_resolved():
    names = ("resolved", "empty", "not_applied", "timed_out", "unresolved")
    report = make_report([sample(name, name) for name in names], GIVEN)
    assert report["resolve_rate"]["raw"]["rate"] == 0.2
    assert {name: report["outcomes"][name] for name in names} == dict.fromkeys(names, 1)


def test_samples_give_pass_at_k_and_a_mean_over_tasks():
    outcomes = {"t1": ("resolved", "unresolved", "unresolved", "unresolved"), "t2": ("unresolved",) * 4}
    samples = [sample(task, outcome, n) for task, row in outcomes.items() for n, outcome in enumerate(row)]
    report = make_report(samples, GIVEN)
    assert report["pass_at"] == {"1": pytest.approx(0.125), "2": pytest.approx(0.25), "4": pytest.approx(0.5)}
    assert report["resolve_rate"]["raw"]["rate"] == pytest.approx(0.125)
    assert report["tasks"] == 2


def test_a_rollout_that_looked_at_the_future_does_not_count_in_the_clean_rate():
    report = make_report([sample("t1", "resolved", command="git log --all -S fix"), sample("t2", "resolved")], GIVEN)
    assert report["resolve_rate"]["raw"]["rate"] == 1.0
    assert report["resolve_rate"]["clean"]["rate"] == 0.5
    assert report["flagged"][0]["flags"][0]["name"] == "git_history"


def test_where_the_verdicts_differ_swebenchs_is_of_record_and_both_are_listed():
    fooled = sample("t1", "resolved", swebench=True, hardened=False)
    report = make_report([fooled, sample("t2", "resolved", swebench=True, hardened=True)], GIVEN)
    assert report["resolve_rate"]["raw"]["rate"] == 1.0
    assert [entry["task"] for entry in report["disagreements"]] == ["t1"]
    assert "verdicts differ: t1 #0: swebench resolved, hardened unresolved" in report_text(report)


def test_effort_counts_tokens_cost_and_format():
    effort = make_report([sample("t1", "resolved"), sample("t2", "unresolved")], GIVEN)["effort"]
    assert effort["format_compliance_rate"] == 0.5
    assert effort["malformed_reasons"] == {"no_action": 2}
    assert (effort["prompt_tokens"], effort["completion_tokens"]) == (600_000, 200_000)
    assert effort["cost"] == pytest.approx(0.6 + 0.4)
    assert effort["turns_mean"] == 2


def test_a_rate_from_a_machine_whose_checks_failed_is_marked():
    failed = {"status": "failed", "checks": [{"name": "gold_resolves", "passed": False, "task": "t1"}]}
    report = make_report([sample("t1", "resolved")], ReportInput(settings={}, selfcheck=failed))
    assert report["trusted"] is False
    assert "NOT TRUSTED" in report_text(report)


def test_tables_by_repository_agree_with_the_whole():
    samples = [sample("t1", "resolved"), sample("t2", "unresolved", repo="c/d"), sample("t3", "resolved", repo="c/d")]
    rows = make_report(samples, GIVEN)["by_repository"]
    assert [(row["name"], row["tasks"], row["rate"]) for row in rows] == [("a/b", 1, 1.0), ("c/d", 2, 0.5)]


def test_a_rollout_survives_json():
    rollout = sample("t1", "resolved").rollout
    assert rollout is not None
    assert rollout_from_json(rollout_to_json(rollout)) == rollout

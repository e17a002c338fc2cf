"""Which trajectories must not be trained on."""

import json

import pytest

from srl_swe.logs import contamination, read_benchmark, read_logs
from srl_swe.logs.contamination import OVERLAP, VERIFIED_REPOSITORIES
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task

TEMPLATE = "Please describe the bug. Include a minimal example that reproduces it and the versions you use. "
CRASH = "Calling frobnicate with an empty list crashes with an IndexError deep inside the parser on every platform."
SLOW = "Rendering large tables takes minutes because each cell is measured again and again for all of its neighbours."


def row(task_id, problem, repo="acme/calc"):
    return {"instance_id": task_id, "repo": repo, "problem_statement": problem}


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [row("acme__calc-1", TEMPLATE + CRASH), row("acme__calc-2", TEMPLATE + SLOW)]
    path.write_text("".join(json.dumps(item) + "\n" for item in rows))
    return read_benchmark(path)


def test_the_same_id_is_contaminated_with_or_without_a_running_number(benchmark):
    for task_id in ("acme__calc-1", "acme__calc-1_0", "acme__calc-1_12"):
        assert contamination(Task(id=task_id, problem="anything"), benchmark) == "benchmark task acme__calc-1"
    assert contamination(Task(id="acme__calc-11", problem="anything", repo="acme/calc"), benchmark) == ""


def test_an_overlapping_problem_of_the_same_repository_is_contaminated(benchmark):
    reworded = Task(id="acme__calc.1a2b3c4d.pr_5", repo="Acme/calc", problem=f"# Crash\n\n{CRASH} Seen in 2.1 as well.")
    assert contamination(reworded, benchmark).startswith("problem overlaps benchmark task acme__calc-1 by ")
    elsewhere = Task(id="x", repo="other/project", problem=CRASH)
    assert contamination(elsewhere, benchmark) == ""


def test_a_task_of_unknown_repository_is_compared_with_all(benchmark):
    assert "acme__calc-2" in contamination(Task(id="session-1", problem=TEMPLATE + SLOW), benchmark)


def test_text_that_several_problems_share_does_not_count(benchmark):
    other = Task(id="y", repo="acme/calc", problem=TEMPLATE + "The sum of two dates is a date in the wrong century.")
    assert contamination(other, benchmark) == ""


def test_the_threshold_is_the_share_of_the_shorter_problems_eight_word_runs(tmp_path):
    words = [f"word{number}" for number in range(107)]  # 100 runs of eight words
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row("acme__calc-1", " ".join(words))]))
    benchmark = read_benchmark(path)

    def shares(runs):
        fresh = [f"other{number}" for number in range(107 - runs - 7)]
        return Task(id="z", repo="acme/calc", problem=" ".join(words[: runs + 7] + fresh))

    at_threshold = round(100 * OVERLAP)
    assert contamination(shares(at_threshold), benchmark)
    assert not contamination(shares(at_threshold - 1), benchmark)


def test_without_rows_the_repository_and_the_form_of_the_id_decide():
    def reason(task_id, repo):
        return contamination(Task(id=task_id, repo=repo, problem="p"))

    assert len(VERIFIED_REPOSITORIES) == 12
    assert "django/django" in reason("django__django-11099", "django/django")
    assert reason("django__django-11099_2", "django/django")
    assert reason("django__django.1a2b3c4d.lm_rewrite__x", "django/django") == ""
    assert reason("acme__calc-1", "acme/calc") == ""
    assert "folder named sympy" in contamination(Task(id="session", problem="p", workdir="/tmp/x/sympy/"))
    assert contamination(Task(id="session", problem="p", workdir="/tmp/calc")) == ""


def test_a_benchmark_file_that_holds_no_rows_is_the_users_mistake(tmp_path):
    path = tmp_path / "rows.jsonl"
    for text, what in (
        ("", "no benchmark rows"),
        ('{"id": 1}\n', "rows.jsonl:1: a benchmark row has"),
        ("{", "not JSON"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=what):
            read_benchmark(path)
    with pytest.raises(ConfigError, match="no such"):
        read_benchmark(tmp_path / "nowhere.jsonl")


def test_the_real_logs_are_marked_as_their_manifest_says(shared_data):
    """Also the three SDK conversations, whose manifest entry is empty but whose text is matplotlib-24570's."""
    benchmark = read_benchmark(shared_data / "swebench_verified" / "swebench_verified.jsonl")
    assert len(benchmark.repo_of) == 500
    marked = {}
    for trajectory in read_logs([shared_data], benchmark=benchmark):
        marked.setdefault(trajectory.source, []).append(bool(trajectory.contaminated))
    verified = {source: sum(flags) for source, flags in marked.items() if any(flags)}
    assert verified == {
        "mini_swe_agent_v1": 13,
        "mini_swe_agent_v2": 4,
        "openai_responses": 15,
        "openhands_v0_llm_completions": 9,
        "openhands_v1": 3,
        "swe_smith_ticks": 1,
        "swe_smith_tool": 1,
    }

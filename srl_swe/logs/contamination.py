"""Marks trajectories that touch a benchmark task, so that no model is trained on what it is later measured with.

With the benchmark's rows (`read_benchmark`) a trajectory is contaminated when its task has the id of a row (a running
number behind the id is ignored), or when it is of the row's repository and at least `OVERLAP` of the 8-word runs of the
shorter problem statement stand in the other. Runs that several rows of a repository share (issue templates, version
listings) do not count: without that, different issues overlap by up to 0.58; with it, they have nothing in common.
A trajectory whose repository is unknown is compared with all rows.

Without rows a rule by repository stands in: SWE-bench Verified was drawn from twelve repositories, and a task of one of
them whose id has SWE-bench's form `owner__name-number` counts as one of its tasks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task

from .records import read_records
from .tasks_in_logs import without_run_number

VERIFIED_REPOSITORIES = frozenset(
    {"astropy/astropy", "django/django", "matplotlib/matplotlib", "mwaskom/seaborn", "pallets/flask", "psf/requests"}
    | {"pydata/xarray", "pylint-dev/pylint", "pytest-dev/pytest", "scikit-learn/scikit-learn"}
    | {"sphinx-doc/sphinx", "sympy/sympy"}
)
"""The repositories that SWE-bench Verified's tasks come from (openai.com/index/introducing-swe-bench-verified)."""

OVERLAP = 0.3
"""Share of the shorter problem's 8-word runs from which two problems count as the same."""

_RUN_WORDS = 8
_SWE_BENCH_ID = re.compile(r"[\w.-]+__[\w.-]+-\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The tasks of a benchmark, as far as they are needed to recognise them."""

    repo_of: Mapping[str, str]
    """Task id -> `owner/name`."""
    runs_of: Mapping[str, frozenset[int]]
    """Task id -> hashes of its problem's 8-word runs, shared ones left out."""
    shared: Mapping[str, frozenset[int]]
    """Repository -> the runs that several of its problems share."""


def read_benchmark(path: Path) -> Benchmark:
    """A benchmark from its rows (JSON Lines or an array, with instance_id, repo and problem_statement).

    Raises ConfigError when the file can't be read or holds no such row.
    """
    repos: dict[str, str] = {}
    runs: dict[str, frozenset[int]] = {}
    if not path.is_file():
        raise ConfigError(f"{path}: no such benchmark file")
    for record in read_records(path):
        if record.error:
            raise ConfigError(f"{path}:{record.line}: {record.error}")
        row = record.value if isinstance(record.value, dict) else {}
        if not {"instance_id", "repo", "problem_statement"} <= row.keys():
            raise ConfigError(f"{path}:{record.line}: a benchmark row has instance_id, repo and problem_statement")
        if not all(isinstance(row[name], str) for name in ("instance_id", "repo", "problem_statement")):
            raise ConfigError(f"{path}:{record.line}: instance_id, repo and problem_statement are texts")
        repos[row["instance_id"]] = row["repo"].lower()
        runs[row["instance_id"]] = _runs(row["problem_statement"])
    if not repos:
        raise ConfigError(f"{path}: holds no benchmark rows")
    shared = _shared_runs(repos, runs)
    own = {task: (found - shared[repos[task]]) or found for task, found in runs.items()}
    return Benchmark(repo_of=repos, runs_of=own, shared=shared)


def contamination(task: Task, benchmark: Benchmark | None = None) -> str:
    """Why a trajectory of this task must not be trained on; empty if it may."""
    task_id = without_run_number(task.id)
    if benchmark is None:
        return _by_repository(task, task_id)
    if task_id in benchmark.repo_of:
        return f"benchmark task {task_id}"
    return _by_problem(task, benchmark)


def _by_repository(task: Task, task_id: str) -> str:
    repo = task.repo.lower()
    if repo in VERIFIED_REPOSITORIES and _SWE_BENCH_ID.fullmatch(task_id):
        return f"task of {repo}, a repository of SWE-bench Verified (no benchmark file was given)"
    folder = task.workdir.rstrip("/").rpartition("/")[2].lower()
    if not repo and folder in {name.partition("/")[2] for name in VERIFIED_REPOSITORIES}:
        return f"works in a folder named {folder}, a repository of SWE-bench Verified (no benchmark file was given)"
    return ""


def _by_problem(task: Task, benchmark: Benchmark) -> str:
    runs, repo = _runs(task.problem), task.repo.lower()
    for task_id, theirs in benchmark.runs_of.items():
        their_repo = benchmark.repo_of[task_id]
        if repo and repo != their_repo:
            continue
        ours = runs - benchmark.shared[their_repo]
        overlap = len(ours & theirs) / max(min(len(ours), len(theirs)), 1)
        if overlap >= OVERLAP:
            return f"problem overlaps benchmark task {task_id} by {overlap:.2f}"
    return ""


def _runs(text: str) -> frozenset[int]:
    """Hashes of all runs of eight words; of the whole text when it is shorter."""
    words = re.findall(r"\w+", text.lower())
    count = max(1, len(words) - _RUN_WORDS + 1)
    return frozenset(hash(tuple(words[start : start + _RUN_WORDS])) for start in range(count))


def _shared_runs(repos: Mapping[str, str], runs: Mapping[str, frozenset[int]]) -> dict[str, frozenset[int]]:
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for task, repo in repos.items():
        counts[repo].update(runs[task])
    return {repo: frozenset(run for run, times in found.items() if times > 1) for repo, found in counts.items()}

"""One evaluation: every task and sample rolled out and graded once, whatever happens in between.

Each job is a task and a sample. Its rollout is stored before it is graded and its grade before it counts; what is in
the folder already is not done again, except grades that the infrastructure spoiled. Failures of infrastructure are
retried, then stored as `infra`, which is never a verdict; when many jobs in a row end so, the run stops and says it.
"""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from srl_swe_envs.errors import SrlSweError, WorkspaceError

from ..policies.protocol import Policy, PolicyError, Sampling
from ..rollout import Rollout, rollout_from_json, rollout_to_json
from .grading import Grade, Grader, grade_from_json, grade_to_json
from .grading_container import Cancelled, StopSignal
from .items import Item
from .patch_sources import PatchSource
from .protocols import Protocol
from .schedule import run_jobs
from .store import Key, RunFolder, StoreError, writing

T = TypeVar("T")


class Outage(SrlSweError, RuntimeError):
    """Raised when so many jobs in a row failed for infrastructure's sake that going on makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the jobs of an evaluation are done."""

    source: PatchSource
    grader: Grader
    samples: int = 1
    workers: int = 1
    attempts: int = 3
    """How often a job is tried when infrastructure fails."""
    retry_pause_s: float = 2.0
    """Doubled after each attempt."""
    outage_after: int = 10
    """This many jobs in a row that end in `infra` stop the run."""
    held: Callable[[str], AbstractContextManager[None]] = lambda image: nullcontext()
    """Has a task's image on this machine while its job runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A `PatchSource` that asks a policy by a protocol."""

    policy: Policy
    protocol: Protocol
    sampling: Sampling
    seed: int = 0

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.policy.name

    def rollout(self, item: Item, sample: int) -> Rollout:
        """One sample, its seed drawn from the run's, the task and the sample, so that a repetition is the same."""
        seed = self.sampling.seed
        if self.sampling.temperature > 0:
            digest = hashlib.sha256(f"{self.seed}:{item.task.id}:{sample}".encode()).digest()
            seed = int.from_bytes(digest[:4], "big") >> 1
        started = time.monotonic()
        rollout = self.protocol.solve(item, self.policy, replace(self.sampling, seed=seed))
        return replace(rollout, duration_s=time.monotonic() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One finished job."""

    key: Key
    grade: Grade
    new: bool
    """False when it was in the folder already."""


def evaluate(
    items: Sequence[Item],
    plan: Plan,
    folder: RunFolder,
    *,
    stop: StopSignal | None = None,
    said: Callable[[str], None] = print,
) -> tuple[Done, ...]:
    """Roll out and grade every task and sample that the folder lacks.

    Raises StoreError when the folder can't be written and Outage when infrastructure fails again and again; all that
    was finished before is kept, and the same call goes on from there.
    """
    jobs = [_Job(item, sample) for item in items for sample in range(plan.samples)]
    worker = _Worker(plan, folder, stop or StopSignal())
    done = [worker.stored(job) for job in jobs]
    finished = [result for result in done if result is not None]
    open_jobs = [job for job, result in zip(jobs, done, strict=True) if result is None]
    if finished:
        said(f"{len(finished)} of {len(jobs)} are finished already")
    workers = max(1, min(plan.workers, len(open_jobs)))
    for result in run_jobs(open_jobs, worker.do, workers=workers, stop=worker.stop):
        finished.append(result)
        said(_line(len(finished), len(jobs), result, plan.samples))
    return tuple(finished)


def stored_rollout(folder: RunFolder, key: Key) -> Rollout | None:
    """The rollout that a folder holds of one task and sample."""
    record = folder.rollouts.records.get(key)
    return rollout_from_json(record) if record is not None else None


def stored_grade(folder: RunFolder, key: Key) -> Grade | None:
    """The grade that a folder holds of one task and sample."""
    record = folder.grades.records.get(key)
    return grade_from_json(record) if record is not None else None


@dataclass(frozen=True, slots=True)
class _Job:
    item: Item
    sample: int

    @property
    def key(self) -> Key:
        return self.item.task.id, self.sample


class _Worker:
    """Does jobs; several threads at once."""

    def __init__(self, plan: Plan, folder: RunFolder, stop: StopSignal) -> None:
        self._plan = plan
        self._folder = folder
        self.stop = stop
        self._lock = threading.Lock()
        self._failed_in_a_row = 0

    def stored(self, job: _Job) -> Done | None:
        """The job as the folder has it; None when it is to be done (again)."""
        grade = stored_grade(self._folder, job.key)
        if grade is None or grade.outcome == "infra" or job.key not in self._folder.rollouts.records:
            return None
        return Done(key=job.key, grade=grade, new=False)

    def do(self, job: _Job) -> Done:
        """Roll out, store, grade, store."""
        logs = self._folder.log_folder(job.key)
        try:
            with self._plan.held(job.item.task.image):
                grade = self._grade(job, logs)
        except (StoreError, Cancelled):
            raise
        except (WorkspaceError, PolicyError) as error:
            grade = Grade(outcome="infra", notes=(" ".join(str(error).split())[:1000],))
        except Exception as error:  # one bad task is a row, not a crash
            with writing(logs):
                (logs / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
            note = f"{type(error).__name__}: {error} (error.txt in its logs says more)"
            grade = Grade(outcome="infra", notes=(note[:1000],))
        self._folder.grades.append(job.key, {**grade_to_json(grade), "at": time.time()})
        self._watch_for_outage(grade)
        return Done(key=job.key, grade=grade, new=True)

    def _grade(self, job: _Job, logs: Path) -> Grade:
        rollout = stored_rollout(self._folder, job.key)
        if rollout is None:
            rollout = self._tried(lambda: self._plan.source.rollout(job.item, job.sample))
            self._folder.rollouts.append(job.key, rollout_to_json(rollout))
        patch = rollout.patch
        return self._tried(lambda: self._plan.grader.grade(job.item, patch, logs))

    def _tried(self, action: Callable[[], T]) -> T:
        """The action's result; infrastructure's failures are tried again with growing pauses."""
        for attempt in range(1, self._plan.attempts + 1):
            if self.stop.is_set:
                raise Cancelled
            try:
                return action()
            except (WorkspaceError, PolicyError):
                if attempt == self._plan.attempts:
                    raise
                self._pause(self._plan.retry_pause_s * 2 ** (attempt - 1))
        raise AssertionError("at least one attempt is made")

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stop.is_set:
            time.sleep(min(0.2, seconds))

    def _watch_for_outage(self, grade: Grade) -> None:
        with self._lock:
            self._failed_in_a_row = self._failed_in_a_row + 1 if grade.outcome == "infra" else 0
            if self._failed_in_a_row >= self._plan.outage_after:
                reason = "; ".join(grade.notes)
                raise Outage(
                    f"the last {self._failed_in_a_row} tasks could not be graded ({reason}); "
                    "mend that and run the same command again: finished work is kept"
                )


def _line(count: int, total: int, done: Done, samples: int) -> str:
    name = done.key[0] if samples == 1 else f"{done.key[0]} #{done.key[1]}"
    notes = f": {'; '.join(done.grade.notes)}" if done.grade.notes and done.grade.outcome != "resolved" else ""
    return f"[{count}/{total}] {name}: {done.grade.outcome}{notes[:300]}"


def log_folder(folder: Path, key: Key) -> Path:
    """Where the logs of one task and sample lie."""
    return folder / "logs" / key[0] / f"sample-{key[1]}"

"""Runs many jobs at once: as many as processors and free memory allow, stopped in seconds when asked to."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from .grading_container import StopSignal

J = TypeVar("J")
R = TypeVar("R")

RESERVE_BYTES = 1 << 30
"""No further job is begun while less memory than this is free."""
_STOP_PATIENCE_S = 20.0


def worker_count(wanted: int, *, memory_per_job: int = 2 << 30) -> int:
    """How many jobs run at once: what is wanted, or by processors and free memory when that is 0."""
    if wanted > 0:
        return wanted
    free = free_memory_bytes()
    by_memory = max(1, (free - RESERVE_BYTES) // memory_per_job) if free else processors()
    return max(1, min(processors(), by_memory))


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory_bytes() -> int:
    """Memory that can be had without swapping; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def run_jobs(jobs: Sequence[J], work: Callable[[J], R], *, workers: int, stop: StopSignal) -> Iterator[R]:
    """Results of `work` on each job, in the order in which they are done.

    What `work` raises ends everything and is raised here. Leaving the iterator early, an interrupt included, sets
    `stop` and gives running jobs some seconds to notice; their threads are daemons and can't hold the process.
    """
    pool = _Pool(jobs, work, stop)
    threads = [threading.Thread(target=pool.serve, daemon=True, name=f"job-{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    finished = False
    try:
        for _ in jobs:
            yield pool.next_result()
        finished = True
    finally:
        if not finished:
            stop.set()
        deadline = time.monotonic() + _STOP_PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class _Pool(Generic[J, R]):
    def __init__(self, jobs: Sequence[J], work: Callable[[J], R], stop: StopSignal) -> None:
        self._jobs: queue.SimpleQueue[J] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._results: queue.SimpleQueue[R | BaseException] = queue.SimpleQueue()
        self._work = work
        self._stop = stop
        self._running = 0
        self._lock = threading.Lock()

    def serve(self) -> None:
        """One worker: takes jobs until there are none."""
        while not self._stop.is_set:
            self._wait_for_memory()
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            with self._lock:
                self._running += 1
            try:
                self._results.put(self._work(job))
            except BaseException as error:  # raised where the results are read
                self._results.put(error)
                return
            finally:
                with self._lock:
                    self._running -= 1

    def next_result(self) -> R:
        """The next result; short waits, so that the main thread hears an interrupt."""
        while True:
            try:
                result = self._results.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            return result

    def _wait_for_memory(self) -> None:
        while self._running and not self._stop.is_set and 0 < free_memory_bytes() < RESERVE_BYTES:
            time.sleep(0.5)

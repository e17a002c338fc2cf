"""Keeps pristine containers ready, so that a reset does not wait for the engine.

Starting a container takes the engine a quarter of a second and removing one another tenth; a workspace that takes a
ready one and gives a used one back waits for neither. Worker threads start and remove in the background.
Back-pressure: no more than `ready_per_spec` containers wait for a spec, no more than `max_ready` in all, and nothing
new is started while more than `max_ready` used ones wait for their removal.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

from ...errors import SrlSweError, WorkspaceError
from .container import GuestContainer
from .pristine import PristineImages
from .spec import ContainerSpec

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Between two failed starts; doubled each time."""


class _Shelf:
    """The ready containers of one spec."""

    def __init__(self) -> None:
        self.ready: deque[GuestContainer] = deque()
        self.starting = 0
        self.waiting: deque[object] = deque()
        """Who asked, in order: under load somebody would else wait for ever while others come and take."""
        self.error: SrlSweError | None = None
        self.pause_s = 0.0
        self.retry_at = 0.0
        self.used_at = time.monotonic()


class WarmPool:
    """A `ContainerSource` with containers in stock. Safe to use from many threads; close it after its workspaces."""

    def __init__(self, *, ready_per_spec: int = 2, max_ready: int = 16, workers: int = 2) -> None:
        self._ready_per_spec = ready_per_spec
        self._max_ready = max_ready
        self._images = PristineImages()
        self._shelves: dict[ContainerSpec, _Shelf] = {}
        self._used: deque[GuestContainer] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._workers = [
            threading.Thread(target=self._work, name=f"warm-pool-{number}", daemon=True) for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def expect(self, spec: ContainerSpec) -> None:
        """Have containers of a spec made before they are asked for."""
        with self._change:
            self._shelf(spec)
            self._change.notify_all()

    def take(self, spec: ContainerSpec, *, timeout_s: float = 300.0) -> GuestContainer:
        """A pristine container, at once when one is ready; who asks first is served first.

        Raises what the last start raised (WorkspaceError, or ConfigError from a guard) when none is ready and it
        failed, and WorkspaceError after `timeout_s`. Asking again tries again.
        """
        deadline = time.monotonic() + timeout_s
        with self._change:
            shelf = self._shelf(spec)
            shelf.error, shelf.retry_at = None, 0.0
            turn = object()
            shelf.waiting.append(turn)
            self._change.notify_all()
            try:
                while True:
                    if self._closed:
                        raise WorkspaceError("the warm pool is closed")
                    first = shelf.waiting[0] is turn
                    if first and (container := _first_alive(shelf, self._used)) is not None:
                        return container
                    if shelf.error is not None:
                        raise shelf.error
                    if not self._change.wait(deadline - time.monotonic()):
                        raise WorkspaceError(f"no container of {spec.image} was ready within {timeout_s:.0f} s")
            finally:
                shelf.waiting.remove(turn)
                shelf.used_at = time.monotonic()
                self._change.notify_all()

    def dispose(self, container: GuestContainer) -> None:
        """Hand over a used container; it is removed in the background."""
        container.client.close()  # everything in it ends at once, whenever its removal comes
        with self._change:
            self._used.append(container)
            self._change.notify_all()

    def ready(self, spec: ContainerSpec) -> int:
        """How many containers of a spec wait to be taken."""
        with self._change:
            return len(self._shelf(spec).ready)

    def close(self) -> None:
        """Remove every container in stock, wait for all removals, end the workers. May be called twice."""
        with self._change:
            self._closed = True
            for shelf in self._shelves.values():
                self._used.extend(shelf.ready)
                shelf.ready.clear()
            self._change.notify_all()
        for worker in self._workers:
            worker.join()
        with contextlib.suppress(WorkspaceError):  # a workspace that is still open stands on one: the reaper's
            self._images.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shelf(self, spec: ContainerSpec) -> _Shelf:
        return self._shelves.setdefault(spec, _Shelf())

    def _work(self) -> None:
        while True:
            with self._change:
                job = self._next_job()
                while job is None:
                    if self._closed:
                        return
                    self._change.wait(self._wait_s())
                    job = self._next_job()
            if isinstance(job, GuestContainer):
                self._remove(job)
            else:
                self._start(job)

    def _next_job(self) -> ContainerSpec | GuestContainer | None:
        """What to do next: a spec to start a container of, or a used container to remove."""
        spec = None if self._closed or len(self._used) > self._max_ready else self._neediest()
        if spec is not None:
            self._shelves[spec].starting += 1
            return spec
        return self._used.popleft() if self._used else None

    def _neediest(self) -> ContainerSpec | None:
        """The spec that lacks most, those somebody waits for first; room is made by giving up an idle spec's stock."""
        now = time.monotonic()
        best, best_need = None, (0, 0)
        for spec, shelf in self._shelves.items():
            if shelf.retry_at > now:
                continue
            coming = len(shelf.ready) + shelf.starting
            waiting = len(shelf.waiting)
            need = (max(waiting - coming, 0), self._ready_per_spec - coming + waiting)
            if need[1] > 0 and need > best_need:
                best, best_need = spec, need
        if best is None or best_need[0] > 0:
            return best
        stock = sum(len(shelf.ready) + shelf.starting for shelf in self._shelves.values())
        return best if stock < self._max_ready or self._give_up_idle(best) else None

    def _give_up_idle(self, wanted: ContainerSpec) -> bool:
        used_at = self._shelves[wanted].used_at
        idle = [shelf for shelf in self._shelves.values() if shelf.ready and shelf.used_at < used_at]
        if not idle:
            return False
        self._used.append(min(idle, key=lambda shelf: shelf.used_at).ready.popleft())
        return True

    def _wait_s(self) -> float | None:
        """Until the next retry; None when there is none."""
        now = time.monotonic()
        waits = [shelf.retry_at - now for shelf in self._shelves.values() if shelf.retry_at > now]
        return min(waits) if waits else None

    def _start(self, spec: ContainerSpec) -> None:
        container, failure = None, None
        try:
            container = self._images.start(spec)
        except SrlSweError as error:
            failure = error
        except Exception as error:  # a bug, or a `prepare` that broke: whoever waits must hear of it
            failure = WorkspaceError(f"starting a container of {spec.image} failed: {error!r}")
            failure.__cause__ = error
        with self._change:
            shelf = self._shelf(spec)
            shelf.starting -= 1
            if container is not None:
                shelf.error, shelf.pause_s = None, 0.0
                (self._used if self._closed else shelf.ready).append(container)
            else:
                shelf.error = failure
                shelf.pause_s = min(max(shelf.pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
                shelf.retry_at = time.monotonic() + shelf.pause_s
            self._change.notify_all()

    def _remove(self, container: GuestContainer) -> None:
        with contextlib.suppress(WorkspaceError):  # an engine in trouble: the lease lets the reaper remove it later
            container.remove()
        with self._change:
            self._change.notify_all()


def _first_alive(shelf: _Shelf, used: deque[GuestContainer]) -> GuestContainer | None:
    while shelf.ready:
        container = shelf.ready.popleft()
        try:
            container.client.ping()  # it may have died on the shelf
            return container
        except WorkspaceError:
            used.append(container)
    return None

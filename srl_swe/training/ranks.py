"""The ranks of one run: processes that a launcher started together, each with a share of every batch.

The first rank alone writes what a run leaves; where the others need it, they wait. A run of one process is its own
first rank, and nothing here communicates.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from srl_swe_envs.errors import SrlSweError

T = TypeVar("T")

_LOST = ("connection closed", "connection reset", "connection refused", "broken pipe", "remote process", "timed out")


class RankLostError(SrlSweError):
    """Raised on ranks that are left when another one ended before the run did."""


def on_cpu() -> bool:
    """Whether the run's tensors are on the CPU: there is no accelerator, or the launcher was told to leave it."""
    return not torch.accelerator.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return bool(_state().is_main_process)


def first(work: Callable[[], T]) -> T:
    """What the work gives on the first rank, on every rank; errors that say something to the user are everyone's.

    What it gives is pickled. Nobody goes on before the first rank is done.
    """
    state = _state()
    if state.num_processes == 1:
        return work()
    said: list[T | SrlSweError | None] = [None]
    if state.is_main_process:
        try:
            said = [work()]
        except SrlSweError as error:
            said = [error]
    broadcast_object_list(said)
    found = said[0]
    if isinstance(found, SrlSweError):
        raise found
    return found  # type: ignore[return-value]  # what `work` gave, or what None stands for


def device() -> torch.device:
    """Where this rank's model belongs."""
    found: torch.device = _state().device
    return found


def count() -> int:
    """How many ranks there are."""
    return int(_state().num_processes)


def wait() -> None:
    """Return when every rank has come here."""
    _state().wait_for_everyone()


@contextmanager
def together(out: Path) -> Iterator[None]:
    """All ranks end at one time; one whose partner is gone ends with one line. Alone, it does nothing."""
    if _state().num_processes == 1:
        yield
        return
    advice = f"run the same command again: it goes on from the last whole checkpoint in {out}"

    def stop(number: int, frame: FrameType | None) -> None:
        raise RankLostError(f"{_name()} was told to stop (signal {number}), as when another rank is lost; {advice}")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
        wait()
        _state().destroy_process_group()
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        before = signal.SIG_IGN  # the launcher, too, ends ranks that are left; this one does so itself and says why
        raise RankLostError(f"{_name()} lost another rank; {advice} ({error})") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _name() -> str:
    state = _state()
    return f"rank {state.process_index} of {state.num_processes}"


def _is_lost(error: RuntimeError) -> bool:
    """Whether a collective operation failed for want of a partner. Gloo raises plain RuntimeErrors."""
    text = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or any(word in text for word in _LOST)


def _state() -> PartialState:
    return PartialState(cpu=on_cpu())

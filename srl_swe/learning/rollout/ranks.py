"""Work that all ranks of a run start together, and that fails on all when it fails on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from srl_swe_envs.errors import ConfigError, SrlSweError

from ...serving.errors import ServerError

T = TypeVar("T")


def on_every_rank(work: Callable[[], T]) -> T:
    """Do something on every rank; where it fails on one, the others raise too instead of waiting for it."""
    result, error = _outcome(work)
    said = gather_object([_told(error)])
    if error is not None:
        raise error
    for told in said:
        _raise(told)
    assert result is not None
    return result


def on_main_rank(work: Callable[[], T]) -> T:
    """Do something on the main process and give its result, or raise its error, on all."""
    state = PartialState()
    result, error = _outcome(work) if state.is_main_process else (None, None)
    said = [result, _told(error)]
    if state.num_processes > 1:
        broadcast_object_list(said)
    if error is not None:
        raise error
    _raise(said[1])
    return said[0]  # type: ignore[return-value]


def _outcome(work: Callable[[], T]) -> tuple[T | None, SrlSweError | None]:
    try:
        return work(), None
    except SrlSweError as error:
        return None, error


def _told(error: SrlSweError | None) -> tuple[bool, str] | None:
    return None if error is None else (isinstance(error, ConfigError), str(error))


def _raise(told: object) -> None:
    if isinstance(told, tuple):
        is_config, text = told
        raise (ConfigError if is_config else ServerError)(text)

"""Counting, killing and reaping everything that the commands of a workspace have started.

As the first process (PID 1) of a process namespace the agent kills with `kill(-1)`, which no process escapes: the
kernel signals all of them under one lock, and a pending SIGKILL makes `fork` fail. Elsewhere (a plain subprocess
of the host, no namespace) `kill(-1)` would reach the user's own processes, so the agent becomes the reaper of its
descendants and kills those, again and again, until none is left.
"""

import os
import time

_SIGKILL = 9
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def is_first() -> bool:
    """Whether this is PID 1 of its process namespace."""
    return os.getpid() == 1


def _prctl(option: int, value: int) -> bool:
    """`prctl(option, value)`; False when it failed or this Python has no ctypes."""
    try:
        import ctypes  # once imported this is cheap; some Pythons lack it

        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def harden() -> None:
    """Make this process out of reach for the commands it will run under the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)  # no ptrace, no /proc/1/mem, no /proc/1/fd
    if not is_first():
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _stat_fields(pid: int) -> "list[bytes]":
    # The command name may hold spaces and brackets: the fields begin after the last bracket, with the state.
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _pids() -> "list[int]":
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def others() -> "set[int]":
    """Process ids (zombies too) of everything the commands have started."""
    me = os.getpid()
    if is_first():
        return set(_pids()) - {me}
    children: dict[int, list[int]] = {}
    for pid in _pids():
        try:
            children.setdefault(int(_stat_fields(pid)[1]), []).append(pid)
        except (OSError, IndexError):
            continue
    found: set[int] = set()
    queue = [me]
    while queue:
        fresh = [pid for pid in children.get(queue.pop(), ()) if pid not in found]
        found.update(fresh)
        queue.extend(fresh)
    return found


def count_tasks() -> int:
    """Tasks (threads, as a pids limit counts them) that the commands have left behind."""
    total = 0
    for pid in others():
        try:
            total += max(int(_stat_fields(pid)[17]), 1)
        except (OSError, IndexError, ValueError):
            continue
    return total


def reap() -> "dict[int, int]":
    """Collect every dead child; exit codes by process id (128 + N for signal N)."""
    codes: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return codes
        if pid == 0:
            return codes
        codes[pid] = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kill_all(limit_s: float = 2.0) -> "dict[int, int]":
    """Kill and reap every other process; exit codes of the reaped. Gives up after `limit_s` (a process in the
    kernel's uninterruptible sleep can't be killed by anybody).
    """
    codes: dict[int, int] = {}
    deadline = time.monotonic() + limit_s
    pause_s = 0.0005
    while True:
        if is_first():
            _kill(-1)
        else:
            for pid in others():
                _kill(pid)
        codes.update(reap())
        if not others() or time.monotonic() > deadline:
            return codes
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.02)


def _kill(pid: int) -> None:
    try:  # noqa: SIM105  (contextlib would take milliseconds of the agent's start)
        os.kill(pid, _SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass

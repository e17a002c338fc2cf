"""Making a process: the part of `subprocess` that a workspace needs, without its 20 ms of imports.

`posix_spawn` shares the agent's memory until the program starts, which takes half as long as a copy of it; Pythons
before 3.8 fork.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    try:
        import _signal as signal
    except ImportError:
        import signal

_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)  # Python ignores the first two


class Spawner:
    """Starts programs as leaders of their own session."""

    def __init__(self) -> None:
        """To be made before `processes.harden`, which closes the door to /proc/self."""
        self._null = os.open("/dev/null", os.O_RDONLY)
        try:
            self._oom = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        except OSError:
            self._oom = -1

    def spawn(self, program: str, argv: "list[bytes]", env: "dict[str, str]", cwd: bytes, fds: "dict[int, int]") -> int:
        """Start `program` in `cwd` with the descriptors `fds` (its number: ours); its process id. Raises OSError.

        Moves the agent itself to `cwd`, which the new process inherits.
        """
        os.chdir(cwd)
        fds = {0: self._null, **fds}
        # When memory runs out the kernel shall kill what the command made, not the agent.
        self._set_oom_score(b"1000")
        try:
            if hasattr(os, "posix_spawn"):
                try:
                    return _posix_spawn(program, argv, env, fds)
                except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
                    pass
            return _fork(program, argv, env, fds)
        finally:
            self._set_oom_score(b"0")

    def _set_oom_score(self, value: bytes) -> None:
        if self._oom >= 0:
            try:  # noqa: SIM105  (contextlib would take milliseconds of the agent's start)
                os.pwrite(self._oom, value, 0)
            except OSError:
                pass


def _posix_spawn(program: str, argv: "list[bytes]", env: "dict[str, str]", fds: "dict[int, int]") -> int:
    actions = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in fds.items()]
    return os.posix_spawn(program, argv, env, file_actions=actions, setsid=True, setsigdef=_DEFAULT_SIGNALS)


def _fork(program: str, argv: "list[bytes]", env: "dict[str, str]", fds: "dict[int, int]") -> int:
    pid = os.fork()
    if pid == 0:
        _become(program, argv, env, fds)
    return pid


def _become(program: str, argv: "list[bytes]", env: "dict[str, str]", fds: "dict[int, int]") -> "NoReturn":
    """In the forked child: turn into the program. Never returns."""
    try:
        os.setsid()
        for theirs, ours in fds.items():
            os.dup2(ours, theirs)
        signal.set_wakeup_fd(-1)
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, argv, env)
    except BaseException as problem:
        os.write(2, f"cannot start {program}: {problem}\n".encode("utf-8", "replace"))
    os._exit(127)


def is_limit(problem: OSError) -> bool:
    """Whether no process could be made because of a limit, rather than because of the program."""
    return problem.errno in (11, 12)  # EAGAIN, ENOMEM

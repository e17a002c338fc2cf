"""Starting one command, and carrying a session's directory and exported variables to the next.

Each command is a fresh `bash -c COMMAND` (or `sh`, where the image has no bash): its own session and process group,
`/dev/null` as standard input, one pipe for both outputs so that their order is kept. A command longer than the kernel
takes as one argument is run from a memory file.

In session mode the shell reads a prologue before the command (by `BASH_ENV`, which leaves the command and its error
messages untouched): it exports the variables of the session and, in a trap at exit, writes the directory and the
exported variables to a memory file. A command that replaces the shell (`exec`), the trap or is killed leaves the
session as it was, and so does one that exports more than 100 KB.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spawn import Spawner

DEFAULT_ENV = {
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "SYSTEMD_PAGER": "cat",
    "TERM": "dumb",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_PROGRESS_BAR": "off",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "TQDM_DISABLE": "1",
}
SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh", "/usr/local/bin/bash")
MAX_ARGUMENT_BYTES = 100_000  # the kernel's limit for one argument is 128 KB
MAX_STATE_BYTES = 100_000  # a larger environment would keep every later program from starting
_STATE_OUT, _PROLOGUE, _SCRIPT = 250, 251, 252  # descriptors in the command's shell

# `command` passes by functions that the agent may have put in the place of these
_SAVE = 'command pwd; command printf "\\0"; command export -p'
_TRAP = f"trap '{{ {_SAVE}; }} >/proc/self/fd/{_STATE_OUT} 2>/dev/null' EXIT\n"


class Session:
    """What one command leaves to the next: the directory and the exported variables."""

    def __init__(self, cwd: bytes) -> None:
        self.cwd = cwd
        self.exports = b""

    def prologue(self, bash_env: "str | None") -> bytes:
        """Shell text that brings the session back. `bash_env` is what the image itself wants sourced first."""
        if self.exports:
            return b"unset BASH_ENV\n" + self.exports + b"\n" + _TRAP.encode()
        first = "unset BASH_ENV\n"
        if bash_env:
            first = f'export BASH_ENV={_single_quoted(bash_env)}\n[ -r "$BASH_ENV" ] && . "$BASH_ENV"\n'
        return os.fsencode(first) + _TRAP.encode()

    def update(self, written: bytes) -> None:
        """Take over what the exit trap wrote; nothing or nonsense changes nothing."""
        cwd, mark, exports = written.partition(b"\n\0")
        if mark and cwd.startswith(b"/"):
            self.cwd, self.exports = cwd, exports


class Started:
    """A running command: its shell's process, the reading end of its output, its session's memory file."""

    __slots__ = ("cwd_lost", "output", "pid", "state")

    def __init__(self, pid: int, output: int, state: "int | None", cwd_lost: bool) -> None:
        self.pid = pid
        self.output = output
        self.state = state
        self.cwd_lost = cwd_lost


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def find_shell() -> "str | None":
    """The first shell that is still there."""
    for path in SHELLS:
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def memory_file(content: bytes = b"") -> int:
    """A descriptor of an unnamed file with `content`."""
    create = getattr(os, "memfd_create", None)
    fd = -1
    if create is not None:
        fd = create("srl-swe")
    else:  # Python before 3.8
        for folder in ("/dev/shm", "/tmp", "/"):
            try:
                fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
                break
            except OSError:
                continue
    if fd < 0:
        raise OSError("no place for an unnamed file")
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def read_memory_file(fd: int, max_bytes: int) -> bytes:
    """The contents of an unnamed file; nothing when it has grown beyond `max_bytes`."""
    if os.fstat(fd).st_size > max_bytes:
        return b""
    os.lseek(fd, 0, os.SEEK_SET)
    parts: list[bytes] = []
    while True:
        part = os.read(fd, max_bytes)
        if not part:
            return b"".join(parts)
        parts.append(part)


def start(
    spawner: "Spawner",
    command: bytes,
    shell: str,
    env: "dict[str, str]",
    cwds: "tuple[bytes, ...]",
    session: "Session | None",
) -> Started:
    """Start `command` in the first of `cwds` that is there. Raises OSError when no process could be made."""
    fds: dict[int, int] = {}
    try:
        if session is not None:
            fds[_STATE_OUT] = memory_file()
            fds[_PROLOGUE] = memory_file(session.prologue(env.get("BASH_ENV")))
        bash = os.path.basename(shell) == "bash"
        in_file = len(command) > MAX_ARGUMENT_BYTES or (session is not None and not bash)
        if in_file:
            fds[_SCRIPT] = memory_file(command)
        env = dict(env, BASH_ENV=f"/proc/self/fd/{_PROLOGUE}") if session is not None and bash else env
        argv = _arguments(command, shell, in_file=in_file, sourced=session is not None and not bash)
        reader, fds[1] = os.pipe()
        cwd = next((cwd for cwd in cwds if os.path.isdir(cwd)), b"/")
        try:
            pid = spawner.spawn(shell, argv, env, cwd, {**fds, 2: fds[1]})
        except OSError:
            os.close(reader)
            raise
        state = os.dup(fds[_STATE_OUT]) if session is not None else None
        return Started(pid, reader, state, cwd != cwds[0])
    finally:
        for fd in fds.values():
            os.close(fd)


def _arguments(command: bytes, shell: str, in_file: bool, sourced: bool) -> "list[bytes]":
    name = os.fsencode(os.path.basename(shell))
    if sourced:
        # shells without BASH_ENV
        return [name, b"-c", b". /proc/self/fd/%d; . /proc/self/fd/%d" % (_PROLOGUE, _SCRIPT)]
    if in_file:
        return [name, b"/proc/self/fd/%d" % _SCRIPT]
    return [name, b"-c", command]

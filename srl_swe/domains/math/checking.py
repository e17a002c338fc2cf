"""Whether a reply's final answer is right: `math-verify` in a process of its own that a time limit can end."""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from srl_swe_envs.errors import ConfigError, WorkspaceError

from .answers import last_boxed

_START_S = 30.0
_POLL_S = 0.1
_WALL = 60  # wall time is bounded too, by so many times the processor time


@dataclass(slots=True)
class AnswerChecker:
    """Compares answers while its `with` block lasts. Safe to use from many threads, which take turns."""

    timeout_s: float = 10.0
    """An answer that takes more processor time is wrong: what else the machine does must not decide."""
    boxed_only: bool = False
    """Without a `\\boxed{}` there is no answer; otherwise math-verify takes the last formula or number."""
    timeouts: int = 0
    _process: subprocess.Popen[str] | None = None
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> AnswerChecker:
        if importlib.util.find_spec("math_verify") is None:
            raise ConfigError("checking answers needs math-verify: pip install 'srl-swe[train]'")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._stop()

    def correct(self, reply: str, answer: str) -> bool:
        """Whether a reply, its thought left out, ends in this answer. Raises WorkspaceError when none can compare."""
        said = given_answer(reply)
        if said is None and self.boxed_only:
            return False
        if said is not None and said == answer:
            return True
        key = (f"\\boxed{{{said}}}" if said is not None else reply.rpartition("</think>")[2], answer)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._ask(*key)
            return self._known[key]

    def _ask(self, given: str, answer: str) -> bool:
        for _ in range(2):  # a worker that was killed by someone else is started once more
            process = self._running()
            try:
                self._write(process, json.dumps([given, answer]))
                line = _line(process, self.timeout_s)
            except BrokenPipeError:
                line = ""
            if line:
                return bool(json.loads(line))
            died = process.poll() is not None
            self._stop()
            if not died:
                self.timeouts += 1
                return False
        return False  # it kills whoever reads it: out of memory

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", f"{__package__}.check_worker"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            if _line(self._process, _START_S).strip() != "ready":
                self._stop()
                raise WorkspaceError("the process that compares answers does not start")
        return self._process

    @staticmethod
    def _write(process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None


def _line(process: subprocess.Popen[str], timeout_s: float) -> str:
    """The process's next line; empty when there is none within its processor time, or never."""
    assert process.stdout is not None
    began, deadline = _used_s(process), time.monotonic() + _WALL * timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not selector.select(_POLL_S):
            if _used_s(process) - began > timeout_s or time.monotonic() > deadline:
                return ""
        return process.stdout.readline()


def _used_s(process: subprocess.Popen[str]) -> float:
    """Processor time of a process; wall time where the kernel does not tell."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def given_answer(reply: str) -> str | None:
    """What a reply's last closed box after its thought holds; None when there is none."""
    return last_boxed(reply.rpartition("</think>")[2])

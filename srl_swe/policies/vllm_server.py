"""A vLLM server that belongs to this run: started on a free port, waited for, and stopped with all its children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from .openai_server import OpenAIServer, Retry
from .protocol import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """What the server is started with."""

    model: Path | str
    """Checkpoint folder, or a name that the server can load itself."""
    arguments: tuple[str, ...] = ()
    """More arguments of `vllm serve`, e.g. `("--max-model-len", "32768")`."""
    command: tuple[str, ...] = ()
    """What starts it in place of `vllm serve`; the model and `--port` are appended."""
    start_timeout_s: float = 900.0
    log: Path | None = None
    retry: Retry = field(default_factory=Retry)


@contextlib.contextmanager
def vllm_server(settings: VllmSettings) -> Iterator[OpenAIServer]:
    """The policy of a server that lives as long as the `with` block; raises PolicyError when it does not come up."""
    command = settings.command or _vllm_command()
    port = _free_port()
    full = [*command, str(settings.model), "--host", "127.0.0.1", "--port", str(port), *settings.arguments]
    log = settings.log.open("ab") if settings.log else None
    try:
        # A session of its own, so that the engine processes that vLLM spawns end with it.
        process = subprocess.Popen(
            full, stdin=subprocess.DEVNULL, stdout=log or subprocess.DEVNULL, stderr=log or subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "VLLM_NO_USAGE_STATS": "1"},
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"{command[0]} can't be started: {error}") from error
    finally:
        if log is not None:
            log.close()
    try:
        policy = OpenAIServer(base_url=f"http://127.0.0.1:{port}/v1", model=str(settings.model), retry=settings.retry)
        _wait(process, policy, settings)
        yield policy
    finally:
        _stop(process)


def _vllm_command() -> Sequence[str]:
    beside = Path(sys.executable).with_name("vllm")
    found = str(beside) if beside.exists() else shutil.which("vllm")
    if found is None:
        raise ConfigError("vllm is not installed here: pip install 'srl-swe[vllm]', or use checkpoint: or openai:")
    return (found, "serve")


def _wait(process: subprocess.Popen[bytes], policy: OpenAIServer, settings: VllmSettings) -> None:
    where = f"; its log: {settings.log}" if settings.log else ""
    deadline = time.monotonic() + settings.start_timeout_s
    probe = OpenAIServer(
        base_url=policy.base_url, model=policy.model, retry=Retry(timeout_s=5, attempts=1, first_pause_s=0)
    )
    while True:
        if process.poll() is not None:
            raise PolicyError(f"the vLLM server ended with status {process.returncode} while starting{where}")
        with contextlib.suppress(PolicyError):
            if probe.models():
                return
        if time.monotonic() > deadline:
            raise PolicyError(f"the vLLM server did not answer in {settings.start_timeout_s:.0f} s{where}")
        time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole session: politely, then not."""
    for ending, patience_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    process.poll()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

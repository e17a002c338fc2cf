"""A policy on a vLLM server that belongs to this run: started on a free port, waited for, stopped with its children."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..serving.errors import ServerError
from ..serving.process import ServerCommand, running_server
from ..serving.vllm import SERVER_ENVIRONMENT, serve_command
from .openai_server import OpenAIServer, Retry
from .protocol import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """What the server is started with."""

    model: Path | str
    """Checkpoint folder, or a name that the server can load itself."""
    arguments: tuple[str, ...] = ()
    """More arguments of `vllm serve`, e.g. `("--max-model-len", "32768")`."""
    python: str = ""
    """The interpreter of the environment that vLLM is installed in; empty: this one's, then `vllm` on the path."""
    command: tuple[str, ...] = ()
    """What starts it instead; the model and `--port` are appended."""
    start_timeout_s: float = 900.0
    log: Path | None = None
    retry: Retry = field(default_factory=Retry)


@contextlib.contextmanager
def vllm_server(settings: VllmSettings) -> Iterator[OpenAIServer]:
    """The policy of a server that lives as long as the `with` block; raises PolicyError when it does not come up."""
    model = str(settings.model)
    start = (*settings.command, model) if settings.command else serve_command(model, python=settings.python)
    command = ServerCommand(
        command=(*start, *settings.arguments),
        environment=SERVER_ENVIRONMENT,
        start_timeout_s=settings.start_timeout_s,
        log=settings.log,
    )
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_server(command))
        except ServerError as error:
            raise PolicyError(str(error)) from error
        yield OpenAIServer(base_url=f"{server.url}/v1", model=model, retry=settings.retry)


def vllm_arguments(text: str) -> tuple[str, ...]:
    """The words of `--vllm-args`; raises ConfigError."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"--vllm-args {text}: {error}") from error

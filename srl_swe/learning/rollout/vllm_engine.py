"""vLLM as the trainer sees it: brought up to date after an update, then asked for replies.

An engine starts when it is first asked and lives as long as the run: all stages share it, and a run that only goes on
to its summary starts none.
"""

from __future__ import annotations

import os
import secrets
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from accelerate import PartialState

from srl_swe_envs.errors import ConfigError

from ...serving.errors import RefusedError, ServerError
from ...serving.process import ServerProcess, running_server
from .ranks import on_every_rank, on_main_rank
from .sampling import DrawnReply, SamplingParams
from .vllm_client import Prompt, VllmClient
from .vllm_start import EngineNeeds, server_command
from .vllm_sync import LoraSync, NcclSync, ReloadSync, WeightSync


class Engine(Protocol):
    """A vLLM engine."""

    def outdated(self) -> None:
        """The followed model's weights have changed."""
        ...

    def follow(self, model: Any) -> None:
        """Take a model's weights unless it has them; every rank takes part. Raises ServerError, ConfigError."""
        ...

    def complete(
        self, prompts: Sequence[Prompt], *, replies: int, sampling: SamplingParams
    ) -> tuple[tuple[DrawnReply, ...], ...]:
        """`replies` replies to every prompt of this rank, in order; raises ServerError."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ServedEngine:
    """An engine behind HTTP: a server of the run's own, or one that runs already."""

    def __init__(self, needs: EngineNeeds) -> None:
        self.needs = needs
        self._held = ExitStack()
        self._server: tuple[VllmClient, WeightSync] | None = None
        self._name = ""
        self._followed: weakref.ref[Any] | None = None

    def outdated(self) -> None:
        """See Engine."""
        self._followed = None

    def follow(self, model: Any) -> None:
        """See Engine."""
        if self._followed is not None and self._followed() is model:
            return
        if self._server is None:
            on_gpu = next(model.parameters()).device.type == "cuda"
            client = self._connected(on_gpu=on_gpu)
            self._server = client, self._route(client, on_gpu=on_gpu)
        client, sync = self._server
        self._name = on_every_rank(lambda: sync.push(model, client))
        self._followed = weakref.ref(model)

    def complete(
        self, prompts: Sequence[Prompt], *, replies: int, sampling: SamplingParams
    ) -> tuple[tuple[DrawnReply, ...], ...]:
        """See Engine."""
        assert self._server is not None, "weights come first"
        client, _ = self._server
        return client.complete(prompts, replies=replies, sampling=sampling, model=self._name)

    def close(self) -> None:
        """See Engine."""
        self._held.close()
        self._server = None

    def _connected(self, *, on_gpu: bool) -> VllmClient:
        """A client of the server that runs already, or that the main process starts; the same on every rank."""
        settings = self.needs.settings
        own: list[ServerProcess] = []

        def address() -> str:
            if settings.url:
                return settings.url.rstrip("/").removesuffix("/v1")
            self.needs.folder.mkdir(parents=True, exist_ok=True)
            own.append(self._held.enter_context(running_server(server_command(self.needs, on_gpu=on_gpu))))
            return own[0].url

        if not settings.url and _several_machines():
            raise ConfigError("rollout.vllm.url: with several machines start one server that all reach, and name it")
        client = VllmClient(
            url=on_main_rank(address),
            request_timeout_s=settings.request_timeout_s,
            requests_at_once=settings.requests_at_once,
            still_there=own[0].check if own else _nothing_known,
        )
        if settings.url:
            check_server(client, self.needs)
        return client

    def _route(self, client: VllmClient, *, on_gpu: bool) -> WeightSync:
        folder = self.needs.folder.absolute()
        route = self.needs.route(on_gpu=on_gpu)
        if route == "lora":
            return LoraSync(folder, on_main_rank(lambda: secrets.token_hex(4)))
        served = served_name(client)
        if route == "reload":
            return ReloadSync(folder, served)
        settings = self.needs.settings
        return NcclSync(
            url=client.url, served=served, group_port=settings.group_port, timeout_s=settings.start_timeout_s
        )


def check_server(client: VllmClient, needs: EngineNeeds) -> None:
    """Raises ConfigError when a server that runs already was not started for this run."""
    try:
        longest = client.call("/v1/models", timeout_s=60)["data"][0]["max_model_len"]
        said = client.call("/server_info?config_format=json", timeout_s=60)["vllm_config"]["model_config"]
    except (KeyError, IndexError, TypeError, RefusedError):  # without its development mode a server doesn't say
        return
    if longest < needs.max_tokens:
        raise ConfigError(
            f"{client.url} takes {longest} tokens, and the run's longest prompt and reply have {needs.max_tokens}: "
            f"start it with --max-model-len {needs.max_tokens}, or lower data.max_tokens"
        )
    mode = said.get("logprobs_mode", needs.logprobs_mode)
    if mode != needs.logprobs_mode:
        raise ConfigError(f"{client.url} gives {mode}: start it with --logprobs-mode {needs.logprobs_mode}")


def served_name(client: VllmClient) -> str:
    """The name of a server's base model."""
    try:
        return str(client.call("/v1/models", timeout_s=60)["data"][0]["id"])
    except (KeyError, IndexError, TypeError, RefusedError) as error:
        raise ServerError(f"{client.url} does not say what it serves: {error}") from error


def _several_machines() -> bool:
    processes: int = PartialState().num_processes
    return processes > int(os.environ.get("LOCAL_WORLD_SIZE", processes))


def _nothing_known() -> None:
    """Of a server that others started there is nothing to check."""

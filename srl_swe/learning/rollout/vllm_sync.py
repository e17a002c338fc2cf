"""How the trainer's weights get into vLLM: one class per route. Every rank takes part; only the main one talks.

* `LoraSync` saves the adapter and has the server load it under a new name.
* `ReloadSync` writes all weights to a folder that the server reads; the only route to a CPU server for full weights.
* `NcclSync` is trl's own: tensors from GPU to GPU by vLLM's weight transfer, under DDP, FSDP and ZeRO-3.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator, PartialState
from safetensors.torch import save_file
from trl.distributed import DistributedBackend
from trl.generation.vllm_generation import VLLMGeneration

from srl_swe_envs.errors import ConfigError

from ...serving.errors import RefusedError, ServerError
from .vllm_client import VllmClient

_SHARD_BYTES = 4 * 2**30
_ADVICE = "docs/training.md says how a server of one's own has to be started"


class WeightSync(Protocol):
    """A route."""

    def push(self, model: Any, client: VllmClient) -> str:
        """Bring the server up to date; gives the name under which it serves these weights. Raises ServerError."""
        ...


class GatheredWeights(VLLMGeneration):  # type: ignore[misc]  # trl is untyped for us
    """trl's walk over full weights, however they are sharded, under the names that vLLM expects; without an engine."""

    def __init__(self, model: Any, accelerator: Accelerator) -> None:
        self.model, self.accelerator = model, accelerator
        self._dist = DistributedBackend(accelerator)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and whole tensors, one at a time; a collective operation where the model is sharded."""
        yield from self._iter_named_params()


class LoraSync:
    """Saves the adapter into `folder` and loads it; the adapter before is unloaded and removed.

    `run` makes its names this run's alone: a server that runs already may still hold another run's last adapter.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self.run = run
        self.version = 0

    def push(self, model: Any, client: VllmClient) -> str:
        """See WeightSync."""
        old = self._name()
        self.version += 1
        name = self._name()
        main = PartialState().is_main_process
        write_adapter(model, self.folder / name if main else None)
        if main:
            _ask(client, "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(self.folder / name)})
            if self.version > 1:
                _ask(client, "/v1/unload_lora_adapter", {"lora_name": old})
                shutil.rmtree(self.folder / old, ignore_errors=True)
        return name

    def _name(self) -> str:
        return f"adapter-{self.run}-{self.version}"


class ReloadSync:
    """Writes all weights into `folder` and has the server read them."""

    def __init__(self, folder: Path, served: str) -> None:
        self.folder = folder
        self.served = served
        self.version = 0

    def push(self, model: Any, client: VllmClient) -> str:
        """See WeightSync."""
        self.version += 1
        accelerator = Accelerator()
        folder = self.folder / f"weights-{self.version}"
        write_weights(GatheredWeights(model, accelerator), folder if accelerator.is_main_process else None)
        if accelerator.is_main_process:
            # our worker's method, which also renews a tied head; a server without it does not know the name
            body = {"method": "srl_swe_reload", "kwargs": {"folder": str(folder)}}
            _ask(client, "/collective_rpc", body)
            _ask(client, "/reset_prefix_cache", {})
            shutil.rmtree(folder)
        return self.served


class NcclSync:
    """trl's weight transfer to a server on other GPUs than the trainer's."""

    def __init__(self, *, url: str, served: str, group_port: int, timeout_s: float) -> None:
        self.url, self.served, self.group_port, self.timeout_s = url, served, group_port, timeout_s
        self._transfer: Any = None

    def push(self, model: Any, client: VllmClient) -> str:
        """See WeightSync."""
        try:
            if self._transfer is None:
                self._transfer = VLLMGeneration(
                    model=model,
                    accelerator=Accelerator(),
                    processing_class=None,
                    mode="server",
                    server_base_url=self.url,
                    server_timeout=self.timeout_s,
                    group_port=self.group_port,
                )
            self._transfer.model = model
            self._transfer.sync_weights()
        except ImportError as error:
            raise ConfigError(f"rollout.vllm.sync: 'nccl' needs vLLM in the trainer's environment: {error}") from error
        except Exception as error:  # trl raises bare exceptions for whatever the server answers
            client.still_there()
            raise ServerError(f"the weights did not reach {self.url}: {type(error).__name__}: {error}") from error
        return self.served


def write_adapter(model: Any, folder: Path | None) -> None:
    """Write a peft model's adapter as vLLM loads it; None only takes part in the gathering."""
    gathered = DistributedBackend(Accelerator()).gather_params
    weights: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            with gathered([parameter]):
                whole = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
                if folder is not None:
                    weights[name] = whole.detach().to("cpu", copy=True)
    if folder is not None:
        model.save_pretrained(str(folder), state_dict=weights)


def write_weights(weights: GatheredWeights, folder: Path | None) -> None:
    """Write weights as safetensors shards into a new folder; None only takes part in the gathering."""
    held: dict[str, torch.Tensor] = {}
    shard = 0
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, tensor in weights:
        if folder is None:
            continue
        held[name] = tensor.detach().to("cpu", copy=False).contiguous()
        if sum(one.nbytes for one in held.values()) >= _SHARD_BYTES:
            shard += 1
            save_file(held, folder / f"model-{shard:05d}.safetensors")
            held = {}
    if folder is not None and held:
        save_file(held, folder / f"model-{shard + 1:05d}.safetensors")


def _ask(client: VllmClient, path: str, body: Any) -> None:
    try:
        client.call(path, body, reads=False)
    except RefusedError as error:
        raise ServerError(f"{client.url} does not take weights by {path}: {error}; {_ADVICE}") from error
    except ServerError as error:
        missing = "no attribute 'srl_swe_reload'" in str(error)
        raise (ServerError(f"{error}; {_ADVICE}") if missing else error) from error

"""Settings of rollouts by vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from srl_swe_envs.errors import ConfigError

from ...bounds import Count, Port, Positive, Share

Sync = Literal["auto", "nccl", "lora", "reload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmRollout:
    """Where vLLM runs and how it gets the trainer's weights."""

    mode: Literal["server", "colocated"] = "server"
    """`colocated` makes an engine inside every training process; vLLM must be installed in its environment."""
    url: str = ""
    """A server that runs already, such as `http://10.0.0.5:8000`; empty: one is started and ends with the run."""
    python: str = ""
    """Interpreter of the environment that vLLM is installed in, to start a server from; empty: this one's."""
    arguments: tuple[str, ...] = ()
    """More arguments of the server that is started."""
    sync: Sync = "auto"
    """How weights get there: `lora` loads the adapter, `nccl` sends tensors between GPUs, `reload` reads them from the
    run's folder. `auto`: `lora` when an adapter is trained, else `nccl` on CUDA, else `reload`."""
    group_port: Port = 51216
    """For `nccl`: where trainer and server meet."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: the type that the trainer keeps weights in."""
    memory_fraction: Share = 0.0
    """Share of a GPU's memory that vLLM takes; 0: 0.9 for a server, 0.3 for a colocated engine."""
    tensor_parallel: Count = 1
    """GPUs of the server that is started."""
    devices: str = ""
    """CUDA_VISIBLE_DEVICES of the server that is started; `nccl` needs other GPUs than the trainer's."""
    eager: bool = False
    """No compilation and no CUDA graphs: starts sooner, samples slower. Always so on CPU."""
    cpu_cache_gib: Positive = 2.0
    """Keys and values that a CPU engine keeps."""
    requests_at_once: Count = 64
    """Prompts that wait for their replies at one time."""
    start_timeout_s: Positive = 900.0
    """For a server or engine to be ready, its compilation included."""
    request_timeout_s: Positive = 900.0
    """For all replies to one prompt; a server that takes longer counts as hanging."""

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"url: {self.url!r} is not a server's address; write for example http://127.0.0.1:8000")
        if self.url and (self.python or self.arguments):
            raise ConfigError("url: a server that runs already is not started: leave out python and arguments")
        if self.mode == "colocated" and (self.url or self.python or self.arguments):
            raise ConfigError("mode: 'colocated' has no server: leave out url, python and arguments")
        if self.mode == "colocated" and self.sync == "nccl":
            raise ConfigError("sync: a colocated engine takes the weights as they are: write 'auto'")

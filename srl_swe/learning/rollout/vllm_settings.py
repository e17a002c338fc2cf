"""Settings of rollouts by vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from srl_swe_envs.errors import ConfigError

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
    group_port: int = 51216
    """For `nccl`: where trainer and server meet."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: the type that the trainer keeps weights in."""
    memory_fraction: float = 0.0
    """Share of a GPU's memory that vLLM takes; 0: 0.9 for a server, 0.3 for a colocated engine."""
    tensor_parallel: int = 1
    """GPUs of the server that is started."""
    devices: str = ""
    """CUDA_VISIBLE_DEVICES of the server that is started; `nccl` needs other GPUs than the trainer's."""
    eager: bool = False
    """No compilation and no CUDA graphs: starts sooner, samples slower. Always so on CPU."""
    cpu_cache_gib: float = 2.0
    """Keys and values that a CPU engine keeps."""
    requests_at_once: int = 64
    """Prompts that wait for their replies at one time."""
    start_timeout_s: float = 900.0
    request_timeout_s: float = 900.0
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
        if not 0 <= self.memory_fraction <= 1:
            raise ConfigError("memory_fraction: a share between 0 and 1 is expected")
        if self.requests_at_once < 1 or self.request_timeout_s <= 0 or self.start_timeout_s <= 0:
            raise ConfigError("requests_at_once, request_timeout_s and start_timeout_s are above 0")

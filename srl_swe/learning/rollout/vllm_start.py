"""How vLLM is started for a run: what it has to serve, and the flags that keep its log-probabilities the trainer's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ...serving.process import ServerCommand
from ...serving.vllm import SERVER_ENVIRONMENT, serve_command
from .vllm_settings import Sync, VllmRollout

_WORKER = Path(__file__).parent / "in_vllm"
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
SERVED = "policy"
"""The base model's name at a server of the run's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineNeeds:
    """What an engine is made for."""

    settings: VllmRollout
    model: str
    """Directory or hub id that it starts from: the base model where an adapter is trained."""
    folder: Path
    """For its log, and for weights on their way."""
    dtype: str
    """What the trainer keeps weights in: `float32` or `bfloat16`."""
    lora_rank: int
    """0 where all weights are trained."""
    max_tokens: int
    """Longest prompt and reply together."""
    temperature: float
    top_p: float

    @property
    def logprobs_mode(self) -> str:
        """Log-probabilities of the whole distribution at the temperature, as the trainer computes them."""
        return "raw_logprobs" if self.temperature == 1 else "processed_logprobs"

    @property
    def served_dtype(self) -> str:
        """What the engine keeps weights in."""
        return self.dtype if self.settings.dtype == "auto" else self.settings.dtype

    @property
    def adapter_rank(self) -> int:
        """The smallest rank that vLLM knows and that holds the adapter."""
        return next(rank for rank in _LORA_RANKS if rank >= self.lora_rank)

    def route(self, *, on_gpu: bool) -> Sync:
        """How weights get to the engine; what `auto` stands for."""
        if self.settings.sync != "auto":
            return self.settings.sync
        if self.lora_rank:
            return "lora"
        return "nccl" if on_gpu else "reload"


def check_vllm(settings: VllmRollout, *, temperature: float, top_p: float, lora_rank: int) -> None:
    """Raises ConfigError for what vLLM can't do with the rest of the configuration."""
    if temperature != 1 and top_p < 1:
        raise ConfigError(
            "rollout.top_p: vLLM gives log-probabilities before the temperature or after top_p, and training needs "
            "them in between: with engine = 'vllm' leave one of rollout.temperature and rollout.top_p at 1"
        )
    if lora_rank > _LORA_RANKS[-1]:
        raise ConfigError(f"model.lora.rank: vLLM serves adapters of rank {_LORA_RANKS[-1]} at most")
    if settings.sync == "lora" and not lora_rank:
        raise ConfigError("rollout.vllm.sync: 'lora' needs an adapter: set model.lora.rank, or write 'auto'")
    if settings.sync == "reload" and lora_rank:
        raise ConfigError("rollout.vllm.sync: 'reload' is for all weights; an adapter goes by 'lora' or 'nccl'")


def server_command(needs: EngineNeeds, *, on_gpu: bool) -> ServerCommand:
    """How the run's own server is started."""
    settings = needs.settings
    flags = [
        *("--served-model-name", SERVED),
        *("--dtype", needs.served_dtype),
        *("--max-model-len", str(needs.max_tokens)),
        *("--logprobs-mode", needs.logprobs_mode),
        *("--generation-config", "vllm"),
        *("--worker-extension-cls", "srl_swe_worker.SrlSweWorker"),
    ]
    environment = {**SERVER_ENVIRONMENT, "VLLM_SERVER_DEV_MODE": "1", "PYTHONPATH": _with_worker()}
    if needs.route(on_gpu=on_gpu) == "lora":
        flags += ["--enable-lora", "--max-lora-rank", str(needs.adapter_rank), "--max-loras", "2"]
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    if on_gpu:
        flags += ["--gpu-memory-utilization", str(settings.memory_fraction or 0.9)]
        flags += ["--tensor-parallel-size", str(settings.tensor_parallel)]
        flags += ["--weight-transfer-config", '{"backend": "nccl"}']
    else:
        environment |= cpu_environment(settings)
    if settings.eager or not on_gpu:
        flags.append("--enforce-eager")
    if settings.devices:
        environment["CUDA_VISIBLE_DEVICES"] = settings.devices
    return ServerCommand(
        command=(*serve_command(needs.model, python=settings.python), *flags, *settings.arguments),
        environment=environment,
        start_timeout_s=settings.start_timeout_s,
        log=needs.folder / "server.log",
    )


def cpu_environment(settings: VllmRollout) -> dict[str, str]:
    """What an engine on CPU reads from its environment."""
    return {
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, round(settings.cpu_cache_gib))),
        "TORCHDYNAMO_DISABLE": "1",  # some operations compile themselves even so, and hold up the first request
    }


def _with_worker() -> str:
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(_WORKER), *([before] if before else [])])

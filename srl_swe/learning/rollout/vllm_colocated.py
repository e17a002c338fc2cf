"""A vLLM engine inside the training process, one per rank: no server, no copies over a network.

vLLM must be installed in the trainer's environment. The executor is the one that trl's colocated mode uses
(trl/generation/vllm_generation.py): `external_launcher`, without a process of vLLM's own.
"""

from __future__ import annotations

import importlib.util
import os
import weakref
from collections.abc import Sequence
from typing import Any

from accelerate import Accelerator

from srl_swe_envs.errors import ConfigError

from ...serving.errors import ServerError
from .sampling import DrawnReply, SamplingParams
from .vllm_client import Prompt
from .vllm_start import EngineNeeds, cpu_environment
from .vllm_sync import GatheredWeights, write_adapter


class ColocatedEngine:
    """See Engine. Raises ConfigError where vLLM is not installed."""

    def __init__(self, needs: EngineNeeds) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise ConfigError(
                "rollout.vllm.mode: 'colocated' needs vLLM in the trainer's own environment "
                "(pip install 'srl-swe[vllm]'); mode = 'server' can use another one, see rollout.vllm.python"
            )
        self.needs = needs
        self._llm: Any = None
        self._adapter: Any = None
        self._version = 0
        self._followed: weakref.ref[Any] | None = None

    def outdated(self) -> None:
        """See Engine."""
        self._followed = None

    def follow(self, model: Any) -> None:
        """See Engine."""
        if self._followed is not None and self._followed() is model:
            return
        if self._llm is None:
            self._llm = self._made(on_gpu=next(model.parameters()).device.type == "cuda")
        self._version += 1
        accelerator = Accelerator()
        if self.needs.lora_rank:
            from vllm.lora.request import LoRARequest

            folder = self.needs.folder.absolute() / f"adapter-{self._version}"
            write_adapter(model, folder if accelerator.is_main_process else None)
            accelerator.wait_for_everyone()
            self._adapter = LoRARequest(folder.name, self._version, str(folder))
        else:
            self._llm.collective_rpc("srl_swe_load", args=(GatheredWeights(model, accelerator),))
            self._llm.reset_prefix_cache()
        self._followed = weakref.ref(model)

    def complete(
        self, prompts: Sequence[Prompt], *, replies: int, sampling: SamplingParams
    ) -> tuple[tuple[DrawnReply, ...], ...]:
        """See Engine."""
        from vllm import SamplingParams as VllmParams

        asked = [
            VllmParams(
                n=replies,
                seed=prompt.seed,
                max_tokens=sampling.max_new_tokens,
                temperature=0.0 if sampling.greedy else sampling.temperature,
                top_p=1.0 if sampling.greedy else sampling.top_p,
                ignore_eos=True,
                stop_token_ids=list(sampling.stop_token_ids),
                logprobs=0,
                detokenize=False,
            )
            for prompt in prompts
        ]
        given = [{"prompt_token_ids": list(prompt.token_ids)} for prompt in prompts]
        try:
            found = self._llm.generate(given, asked, use_tqdm=False, lora_request=self._adapter) if given else []
        except Exception as error:  # an engine raises what its kernels do
            raise ServerError(f"the colocated vLLM engine failed: {type(error).__name__}: {error}") from error
        return tuple(tuple(_drawn(one, sampling) for one in output.outputs) for output in found)

    def close(self) -> None:
        """See Engine."""
        self._llm = None

    def _made(self, *, on_gpu: bool) -> Any:
        settings, accelerator = self.needs.settings, Accelerator()
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        if not on_gpu:
            os.environ.update(cpu_environment(settings))
        from trl.trainer.utils import ensure_master_addr_port
        from vllm import LLM

        os.environ["RANK"] = str(accelerator.process_index)
        os.environ["LOCAL_RANK"] = str(accelerator.local_process_index)
        os.environ["WORLD_SIZE"] = str(accelerator.num_processes)
        ensure_master_addr_port()
        lora = {"enable_lora": True, "max_lora_rank": self.needs.adapter_rank} if self.needs.lora_rank else {}
        try:
            return LLM(
                model=self.needs.model,
                dtype=self.needs.served_dtype,
                max_model_len=self.needs.max_tokens,
                gpu_memory_utilization=settings.memory_fraction or 0.3,
                enforce_eager=settings.eager or not on_gpu,
                logprobs_mode=self.needs.logprobs_mode,
                generation_config="vllm",
                seed=accelerator.process_index,
                distributed_executor_backend="external_launcher",
                worker_extension_cls=f"{__package__}.in_vllm.srl_swe_worker.SrlSweWorker",
                **lora,
            )
        except Exception as error:
            raise ServerError(f"the colocated vLLM engine did not start: {type(error).__name__}: {error}") from error


def _drawn(output: Any, sampling: SamplingParams) -> DrawnReply:
    token_ids = tuple(output.token_ids)
    logps = tuple(float(one[token].logprob) for one, token in zip(output.logprobs, token_ids, strict=True))
    return DrawnReply(token_ids=token_ids, logps=logps, stopped=token_ids[-1] in sampling.stop_token_ids)

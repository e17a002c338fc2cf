"""What a run asks of vLLM, from its configuration and its data."""

from __future__ import annotations

import json
from pathlib import Path

from ..learning.rollout.vllm_start import EngineNeeds
from .settings import RunSettings
from .stage import StageData


def vllm_needs(settings: RunSettings, start: str, data: StageData, out: Path) -> EngineNeeds:
    """What an engine is made for that serves all stages of a run which starts from the model `start`."""
    longest = [
        target.prompt_end + len(target.suffix) for trunk in (*data.train, *data.heldout) for target in trunk.targets
    ]
    tokens = max(longest, default=0) + settings.rollout.max_reply_tokens
    if "rlvr" in settings.stages:
        tokens = max(tokens, settings.rlvr.episodes.max_tokens)
    model, rank = _base(start)
    return EngineNeeds(
        settings=settings.rollout.vllm,
        model=model,
        folder=out / "vllm",
        dtype=settings.model.weights,
        lora_rank=rank or settings.model.lora.rank,
        max_tokens=tokens,
        temperature=settings.rollout.temperature,
        top_p=settings.rollout.top_p,
    )


def _base(start: str) -> tuple[str, int]:
    """The model that a start's adapter belongs to and the adapter's rank; the start itself and 0 without one."""
    adapter = Path(start) / "adapter_config.json"
    if not adapter.exists():
        return start, 0
    said = json.loads(adapter.read_text(encoding="utf-8"))
    return str(said["base_model_name_or_path"]), int(said["r"])

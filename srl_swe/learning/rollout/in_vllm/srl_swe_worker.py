"""What vLLM's workers do for a trainer; this folder is on the engine's PYTHONPATH, so vLLM and torch are all it has.

A full reload leaves one thing behind on CPU: with tied embeddings the head has no weights of its own to load, so vLLM
doesn't process it again and it goes on with the packed copy of the old ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class SrlSweWorker:
    """Mixed into vLLM's worker (`--worker-extension-cls srl_swe_worker.SrlSweWorker`)."""

    model_runner: Any

    def srl_swe_reload(self, folder: str) -> dict[str, str]:
        """Take the weights of a folder of safetensors files."""
        self.model_runner.reload_weights(weights_path=folder)
        self._pack_heads_again()
        return {"weights": folder}

    def srl_swe_load(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Take weights by name; for an engine in the trainer's own process."""
        model = self.model_runner.get_model()
        if any(hasattr(module, "cpu_linear") for module in model.modules()):
            self.model_runner.reload_weights(weights_iterator=weights)
            self._pack_heads_again()
        else:
            model.load_weights(weights)

    def _pack_heads_again(self) -> None:
        for module in self.model_runner.get_model().modules():
            if type(module).__name__ == "ParallelLMHead" and hasattr(module, "cpu_linear"):
                module.quant_method.process_weights_after_loading(module)

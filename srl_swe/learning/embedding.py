"""Texts as unit vectors: the mean of a model's last hidden states over a text's tokens."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from srl_swe_envs.errors import ConfigError

from .models import load_tokenizer

_KEPT = 4096  # vectors kept, because every group asks for its expert again
_ROWS = 16


@dataclass(slots=True, kw_only=True)
class TextEmbedder:
    """An encoder or causal language model with its tokenizer."""

    model: Any
    tokenizer: Any
    max_tokens: int
    """Longer texts are cut."""
    _known: OrderedDict[str, NDArray[np.float32]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one per text, shape `(len(texts), hidden)`; the empty text's is all zeros.

        For any thread: worlds of episodes ask from many.
        """
        with self._lock:
            return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        fresh = sorted({text for text in texts if text not in self._known}, key=len)
        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(fresh), _ROWS):
            rows = fresh[start : start + _ROWS]
            found |= dict(zip(rows, self._embed(rows), strict=True))
        for text in texts:
            if text in self._known:
                found[text] = self._known[text]
                self._known.move_to_end(text)
        self._known |= found
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids = [self.tokenizer.encode(text)[: self.max_tokens] for text in texts]
        longest = max(1, *map(len, ids))
        device = next(self.model.parameters()).device
        padding = self.tokenizer.pad_token_id or 0
        rows = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in ids], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=device)
        hidden = self.model(input_ids=rows, attention_mask=mask).last_hidden_state.float()
        summed = (hidden * mask[..., None]).sum(1)
        unit = torch.nn.functional.normalize(summed, dim=-1)  # the mean's direction is the sum's
        result: NDArray[np.float32] = torch.nan_to_num(unit).cpu().numpy()
        return result


def load_embedder(place: str) -> TextEmbedder:
    """The model at a directory or hub id, without its language head; raises ConfigError naming what it lacks."""
    tokenizer = load_tokenizer(place)
    try:
        model = AutoModel.from_pretrained(place, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place}: the embedding model can't be loaded: {str(error).splitlines()[0]}") from error
    positions = getattr(model.config, "max_position_embeddings", None) or 512
    place_for = "cuda" if torch.cuda.is_available() else "cpu"
    return TextEmbedder(
        model=model.eval().to(place_for),
        tokenizer=tokenizer,
        max_tokens=int(min(positions, tokenizer.model_max_length, 2048)),
    )

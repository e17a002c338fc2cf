"""A policy from a Hugging Face checkpoint folder, generated with transformers in this process.

Prompts are tokenized by the trainer's own `ChatTokenizer`, so that a model meets in evaluation the tokens that it was
trained on, and nothing a command prints becomes a special token.

Threads that ask while the model is busy are answered together, as one padded batch, when it is free again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srl_swe_envs.errors import ConfigError

from ..conversations import Message
from ..learning.chat_tokens import ChatTokenizer
from .protocol import Completion, PolicyError, Sampling

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class _Request:
    tokens: list[int]
    begun: str
    """What the chat template already wrote of the reply."""
    sampling: Sampling
    done: threading.Event = field(default_factory=threading.Event)
    reply: list[int] | None = None
    error: Exception | None = None


class LocalModel:
    """A causal language model with its chat template."""

    def __init__(self, model: Any, chat: ChatTokenizer, *, name: str, max_batch: int = 16) -> None:
        self._model = model
        self.chat = chat
        """How conversations become tokens."""
        self._tokenizer = chat.tokenizer
        self._name = name
        self._max_batch = max_batch
        self._waiting: list[_Request] = []
        self._queue_lock = threading.Lock()
        self._model_lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name given, usually the checkpoint folder's."""
        return self._name

    def complete(self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[object] = ()) -> Completion:
        """The reply to one conversation."""
        return self.complete_batch([messages], sampling, tools=tools)[0]

    def complete_batch(
        self, conversations: Sequence[Sequence[Message]], sampling: Sampling, *, tools: Sequence[object] = ()
    ) -> tuple[Completion, ...]:
        """One reply per conversation, in order."""
        started = time.monotonic()
        prompts = [self.chat.prompt(messages, tuple(tools)) for messages in conversations]
        requests = [_Request(list(tokens), begun, sampling) for tokens, begun in prompts]
        with self._queue_lock:
            self._waiting += requests
        while not all(request.done.is_set() for request in requests):
            with self._model_lock:
                self._serve()
        return tuple(self._completion(request, time.monotonic() - started) for request in requests)

    def close(self) -> None:
        """Let go of the model's memory."""
        self._model = None

    def _serve(self) -> None:
        """Answer the waiting requests that can share a batch with the first."""
        with self._queue_lock:
            if not self._waiting:
                return
            first = self._waiting[0]
            batch = [request for request in self._waiting if request.sampling == first.sampling][: self._max_batch]
            self._waiting = [request for request in self._waiting if request not in batch]
        try:
            for request, reply in zip(batch, self._generate(batch), strict=True):
                request.reply = reply
        except Exception as error:  # whatever fails (out of memory), every waiting thread must hear of it
            for request in batch:
                request.error = error
        finally:
            for request in batch:
                request.done.set()

    def _generate(self, batch: Sequence[_Request]) -> list[list[int]]:
        import torch

        sampling = batch[0].sampling
        room = _context(self._model) - max(len(request.tokens) for request in batch)
        if room <= 0:  # the longest has no room: each on its own, so that it does not starve the others
            return [[] if _context(self._model) <= len(r.tokens) else self._generate([r])[0] for r in batch]
        ids, mask = _left_padded([request.tokens for request in batch], self._padding(), self._model.device)
        options: dict[str, Any] = {"do_sample": sampling.temperature > 0}
        if sampling.temperature > 0:
            options |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        if sampling.stop:
            options |= {"stop_strings": list(sampling.stop), "tokenizer": self._tokenizer}
        with torch.inference_mode(), _seeded(sampling.seed):
            output = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=min(sampling.max_tokens, room),
                pad_token_id=self._padding(),
                **options,
            )
        return [self._until_end(row[ids.shape[1] :].tolist()) for row in output]

    def _until_end(self, tokens: list[int]) -> list[int]:
        """The reply's tokens up to and with the first end token; what follows is padding."""
        for place, token in enumerate(tokens):
            if token in self._ends():
                return tokens[: place + 1]
        return tokens

    def _ends(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return frozenset(end for end in (*ends, self._tokenizer.eos_token_id) if end is not None)

    def _padding(self) -> int:
        padding = self._tokenizer.pad_token_id
        return int(padding if padding is not None else min(self._ends(), default=0))

    def _completion(self, request: _Request, duration_s: float) -> Completion:
        if request.error is not None or request.reply is None:
            raise PolicyError(f"{self._name}: generation failed: {request.error}") from request.error
        tokens = request.reply
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        ended = bool(tokens) and (tokens[-1] in self._ends() or text.endswith(request.sampling.stop or ("\0",)))
        return Completion(
            text=request.begun + text,
            finish="stop" if ended else "length",
            prompt_tokens=len(request.tokens),
            completion_tokens=len(tokens),
            duration_s=duration_s,
        )


def load_local_model(checkpoint: Path, *, device: str = "auto", dtype: str = "auto", max_batch: int = 16) -> LocalModel:
    """The model and tokenizer of a checkpoint folder, LoRA adapters included; raises ConfigError when it is none."""
    if not checkpoint.is_dir():
        raise ConfigError(f"{checkpoint}: no such checkpoint folder")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ConfigError("checkpoint: needs torch and transformers: pip install 'srl-swe[train]'") from error
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{checkpoint}: not a checkpoint that transformers can load: {error}") from error
    try:
        chat = ChatTokenizer(tokenizer=tokenizer)
    except ConfigError as error:
        raise ConfigError(f"{checkpoint}: {error}") from error
    name = checkpoint.resolve().name
    return LocalModel(model.to(place).eval(), chat, name=name, max_batch=max_batch)


def _context(model: Any) -> int:
    return int(getattr(model.config, "max_position_embeddings", None) or 1 << 30)


def _left_padded(rows: list[list[int]], padding: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both `(len(rows), longest)`."""
    import torch

    longest = max(len(row) for row in rows)
    ids = [[padding] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


class _seeded:
    """Sampling from a seed of its own; the process's random state is as before afterwards."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._state: Any = None

    def __enter__(self) -> None:
        import torch

        if self._seed is not None:
            self._state = torch.get_rng_state()
            torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        import torch

        if self._state is not None:
            torch.set_rng_state(self._state)

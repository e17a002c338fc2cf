"""Replies by transformers' own `generate`: for models that the shared-trunk decoder can't run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..chat_tokens import ChatTokenizer
from ..groups import Group
from ..settings import RolloutSettings
from .sampler import Request, prompt_tree, sampled_reply, step_key
from .sampling import seed_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSampler:
    """One `generate` call per target, its replies as a batch of equal prompts (see `ReplySampler`)."""

    chat: ChatTokenizer
    settings: RolloutSettings
    forwards_model: ClassVar[bool] = True

    @torch.no_grad()
    def sample(
        self, model: Any, requests: Sequence[Request], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        """See `ReplySampler.sample`. The global random state is as before afterwards."""
        was_training = model.training
        model.eval()
        devices = [] if model.device.type == "cpu" else [model.device]
        try:
            with torch.random.fork_rng(devices=devices):
                return tuple(self._groups(model, requests, replies, seed, greedy))
        finally:
            model.train(was_training)

    def _groups(
        self, model: Any, requests: Sequence[Request], replies: int, seed: int, greedy: bool
    ) -> Iterator[Group]:
        for trunk, targets in requests:
            tree = prompt_tree(trunk, targets)
            for place, target in enumerate(targets):
                torch.manual_seed(seed_of(seed, step_key(trunk, target)))
                found = self._replies(model, tree.prompt(place), replies, greedy)
                said = tuple(sampled_reply(self.chat, trunk, ids, logps) for ids, logps in found)
                yield Group(trunk=trunk, target=target, replies=said, rewards=())

    def _replies(
        self, model: Any, prompt: tuple[int, ...], replies: int, greedy: bool
    ) -> Iterator[tuple[list[int], list[float]]]:
        ids = torch.tensor([prompt] * replies, device=model.device)
        eos = self.chat.tokenizer.eos_token_id
        drawn = {} if greedy else {"temperature": self.settings.temperature, "top_p": self.settings.top_p, "top_k": 0}
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=not greedy,
            max_new_tokens=self.settings.max_reply_tokens,
            eos_token_id=eos,
            pad_token_id=eos,
            return_dict_in_generate=True,
            output_logits=True,
            **drawn,
        )
        tokens: Tensor = out.sequences[:, len(prompt) :]
        logits = torch.stack(out.logits, dim=1).float() / self.settings.temperature
        logps = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
        for row, scores in zip(tokens.tolist(), logps.tolist(), strict=True):
            length = row.index(eos) + 1 if eos in row else len(row)
            yield row[:length], scores[:length]

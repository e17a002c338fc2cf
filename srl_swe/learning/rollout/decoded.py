"""Replies from the shared-trunk decoder on plain transformers: the default where there is no vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..chat_tokens import ChatTokenizer
from ..groups import Group
from ..settings import RolloutSettings
from .decoder import generate
from .sampler import Request, prompt_tree, sampled_group, step_key
from .sampling import SamplingParams


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSampler:
    """Decodes all replies to a trunk's targets against one prefilled trunk (see `ReplySampler`)."""

    chat: ChatTokenizer
    settings: RolloutSettings
    prefill_tokens: int = 4096
    forwards_model: ClassVar[bool] = True

    def sample(
        self, model: Any, requests: Sequence[Request], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        """See `ReplySampler.sample`."""
        found = generate(
            model,
            [prompt_tree(trunk, targets) for trunk, targets in requests],
            group_size=replies,
            sampling=SamplingParams(
                max_new_tokens=self.settings.max_reply_tokens,
                temperature=self.settings.temperature,
                top_p=self.settings.top_p,
                greedy=greedy,
                stop_token_ids=(self.chat.tokenizer.eos_token_id,),
                seed=seed,
            ),
            max_tokens=self.prefill_tokens,
            max_cache_bytes=int(self.settings.cache_gib * 2**30),
            keys=[[step_key(trunk, target) for target in targets] for trunk, targets in requests],
        )
        return tuple(
            sampled_group(self.chat, trunk, target, members)
            for (trunk, targets), steps in zip(requests, found, strict=True)
            for target, members in zip(targets, steps, strict=True)
        )

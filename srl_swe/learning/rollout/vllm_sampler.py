"""Replies from vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from transformers import TrainerCallback

from ..chat_tokens import ChatTokenizer
from ..groups import Group
from ..settings import RolloutSettings
from .sampler import Request, prompt_tree, sampled_group, step_key
from .sampling import SamplingParams, seed_of
from .vllm_client import Prompt
from .vllm_engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSampler:
    """Asks an engine, which first takes the model's weights (see `ReplySampler`).

    A trunk's prompts follow each other, each a prefix of the next, so that the engine computes the trunk once.
    """

    chat: ChatTokenizer
    settings: RolloutSettings
    engine: Engine
    forwards_model: ClassVar[bool] = False

    def sample(
        self, model: Any, requests: Sequence[Request], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        """See `ReplySampler.sample`; raises ServerError. Every rank has to call, also with no requests."""
        self.engine.follow(model)
        prompts = [
            Prompt(token_ids=tree.prompt(place), seed=seed_of(seed, step_key(trunk, target)))
            for trunk, targets in requests
            if targets
            for tree in [prompt_tree(trunk, targets)]
            for place, target in enumerate(targets)
        ]
        sampling = SamplingParams(
            max_new_tokens=self.settings.max_reply_tokens,
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
            greedy=greedy,
            stop_token_ids=(self.chat.tokenizer.eos_token_id,),
        )
        found = self.engine.complete(prompts, replies=replies, sampling=sampling)
        asked = [(trunk, target) for trunk, targets in requests for target in targets]
        return tuple(
            sampled_group(self.chat, trunk, target, members)
            for (trunk, target), members in zip(asked, found, strict=True)
        )


class FollowsTrainer(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for us
    """Has an engine take the trainer's weights before replies are sampled, and not when none are.

    That is done where every rank comes by: within a step a rank may have nothing to sample.
    """

    def __init__(self, engine: Engine, *, samples_to_train: bool) -> None:
        self.engine = engine
        self.samples_to_train = samples_to_train

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A resumed run has loaded its checkpoint."""
        if state.global_step:
            self.engine.outdated()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A batch is about to be sampled."""
        if self.samples_to_train:
            self.engine.follow(kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The optimizer has stepped."""
        self.engine.outdated()
        if control.should_evaluate:
            self.engine.follow(kwargs["model"])

"""The two sides of `benchmarks/step.py`: trl's GRPOTrainer as it is, and ours, on the same steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import AutoModelForCausalLM, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from srl_swe.config import load_config
from srl_swe.conversations import ReplyScorer
from srl_swe.learning.batches import StepId, StepOrder
from srl_swe.learning.chat_tokens import ChatTokenizer, Trunk
from srl_swe.learning.groups import Group
from srl_swe.learning.heldout import Heldout
from srl_swe.learning.models import load_tokenizer
from srl_swe.learning.rollout.decoded import DecoderSampler
from srl_swe.learning.rollout.sampler import prompt_tree
from srl_swe.learning.trainers.srl import SrlTrainer
from srl_swe.learning.trainers.tree_training import TrainingData
from srl_swe.learning.tree.model import prepare
from srl_swe.training.data import load_data, tokenize
from srl_swe.training.settings import RunSettings
from srl_swe_envs.rewards.score import StepReward


def device_seconds() -> float:
    """Seconds by the clock once a GPU has done all that it was given."""
    torch.cuda.synchronize()
    return time.perf_counter()


@dataclass(slots=True)
class Clock:
    """Seconds by phase, summed over updates; `now` says which seconds."""

    now: Callable[[], float] = time.process_time
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("step", "rollout", "score"), 0.0))

    def timed(self, phase: str, work: Callable[[], Any]) -> Any:
        """What the work gives, its time added to the phase."""
        began = self.now()
        found = work()
        self.seconds[phase] += self.now() - began
        return found


@dataclass(frozen=True, slots=True)
class TimedScorer:
    """A scorer whose time is counted."""

    scorer: ReplyScorer
    clock: Clock

    def score(
        self, conversation: str, step: int, replies: Sequence[str], *, truncated: Sequence[bool] = ()
    ) -> tuple[StepReward, ...]:
        """See ReplyScorer."""
        found: tuple[StepReward, ...] = self.clock.timed(
            "score", lambda: self.scorer.score(conversation, step, replies, truncated=truncated)
        )
        return found

    def expert(self, conversation: str, step: int) -> str:
        """See ReplyScorer."""
        return self.scorer.expert(conversation, step)


class StepClock(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for us
    """Counts each update after the warm-up from its begin to its end, and keeps the first one's gradients."""

    def __init__(self, clock: Clock, warmup: int) -> None:
        self.clock = clock
        self.warmup = warmup
        self.began = 0.0
        self.gradients: dict[str, Tensor] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if state.global_step == self.warmup:
            self.clock.seconds = dict.fromkeys(self.clock.seconds, 0.0)
        self.began = self.clock.now()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """See TrainerCallback."""
        if not self.gradients:  # a parameter has none when no reply taught anything
            self.gradients = {
                name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in model.named_parameters()
            }

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See TrainerCallback."""
        self.clock.seconds["step"] += self.clock.now() - self.began


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What both sides share: a model directory, tokenized steps, their scorer, how many updates are made.

    warmup: updates before those, which are not timed.
    """

    model: Path
    settings: RunSettings
    trunks: tuple[Trunk, ...]
    scorer: TimedScorer
    chat: ChatTokenizer
    order: StepOrder
    updates: int
    folder: Path
    warmup: int = 0
    device: str = "cpu"

    @property
    def steps(self) -> list[StepId]:
        """The steps of all updates, in order."""
        return [
            one
            for number in range(self.warmup + self.updates)
            for one in self.order.batch(number, self.settings.srl.batch)
        ]

    def prompt(self, one: StepId) -> tuple[int, ...]:
        """A step's prompt as token ids."""
        return prompt_tree(self.trunks[one.trunk], [one.target]).prompt(0)

    def arguments(self, **others: Any) -> GRPOConfig:
        """trl's arguments; the learning rate is zero, so that every update meets the same model."""
        srl, rollout = self.settings.srl, self.settings.rollout
        return GRPOConfig(
            output_dir=str(self.folder), max_steps=self.warmup + self.updates, learning_rate=0.0, max_grad_norm=0.0,
            beta=0.0, num_generations=srl.replies, per_device_train_batch_size=srl.replies,
            temperature=rollout.temperature,
            max_completion_length=rollout.max_reply_tokens, loss_type="grpo", epsilon=srl.clip,
            epsilon_high=srl.clip_higher, scale_rewards="none", shuffle_dataset=False, report_to="none",
            save_strategy="no", disable_tqdm=True, use_cpu=self.device == "cpu", bf16=False,
            gradient_checkpointing=False, remove_unused_columns=False, ignore_data_skip=True, **others,
        )  # fmt: skip


def make_bench(config: Path, model: Path, folder: Path, *, overrides: Sequence[str], updates: int) -> Bench:
    """The demo's steps, tokenized for a model."""
    alike = ("srl.dynamic_sampling=false", "srl.normalise_advantages=false")
    settings = load_config(RunSettings, config, [*overrides, *alike])
    data = load_data(settings, config.resolve().parent)
    chat = ChatTokenizer(tokenizer=load_tokenizer(str(model)))
    trunks = tokenize(data.train, chat, settings.data.max_tokens)
    counts = tuple(len(trunk.targets) for trunk in trunks)
    order = StepOrder(target_counts=counts, cap=settings.srl.steps_per_trunk, seed=settings.seed)
    return Bench(
        model=model, settings=settings, trunks=trunks, scorer=TimedScorer(data.scorer, Clock()), chat=chat,
        order=order, updates=updates, folder=folder,
    )  # fmt: skip


class TimedSrl(SrlTrainer):
    """Our trainer, with its rollouts timed."""

    clock: Clock

    def _replied(self, steps: Sequence[StepId], seed: int) -> dict[StepId, Group]:
        found: dict[StepId, Group] = self.clock.timed("rollout", lambda: SrlTrainer._replied(self, steps, seed))
        return found


class TimedGrpo(GRPOTrainer):  # type: ignore[misc]
    """trl's trainer, with its rollouts timed."""

    clock: Clock

    def _generate(self, prompts: list[Any]) -> Any:
        return self.clock.timed("rollout", lambda: GRPOTrainer._generate(self, prompts))


def run_ours(bench: Bench) -> tuple[dict[str, float], dict[str, Tensor], list[Group]]:
    """Our updates: figures, the first update's gradients, and all groups in the order of `bench.steps`."""
    return train_ours(bench, AutoModelForCausalLM.from_pretrained(bench.model, dtype=torch.float32))


def train_ours(bench: Bench, model: Any) -> tuple[dict[str, float], dict[str, Tensor], list[Group]]:
    """`run_ours` with a model in hand."""
    prepare(model, backend=bench.settings.tree.attention)
    tree = bench.settings.tree
    data = TrainingData(
        trunks=bench.trunks,
        order=bench.order,
        heldout=Heldout(trunks=(), scorer=bench.scorer, chat=bench.chat),
        sampler=DecoderSampler(chat=bench.chat, settings=bench.settings.rollout, prefill_tokens=tree.tokens_per_pass),
        chat=bench.chat,
        tree=tree,
    )
    groups: list[Group] = []
    trainer = TimedSrl(
        model=model,
        args=bench.arguments(),
        data=data,
        scorer=bench.scorer,
        settings=bench.settings.srl,
        keep_samples=lambda kind, step, found: groups.extend(found),
    )
    found, gradients = _run(trainer, bench)
    by_step = {(group.trunk.conversation, group.target): group for group in groups}
    ordered = [by_step[bench.trunks[one.trunk].conversation, one.target] for one in bench.steps]
    lengths = [len(reply.token_ids) for group in ordered for reply in group.replies]
    still = sum(len(group.replies) for group in ordered if group.std == 0.0)
    return (
        {**found, "reply_tokens": sum(lengths) / len(lengths), "still_share": still / len(lengths)},
        gradients,
        ordered,
    )


def run_trl(bench: Bench, groups: Sequence[Group] | None = None) -> tuple[dict[str, float], dict[str, Tensor]]:
    """trl's updates with its own replies, or with those of some groups (in the order of `bench.steps`)."""
    rows = [
        {
            "prompt": bench.chat.tokenizer.decode(bench.prompt(one)),
            "conversation": bench.trunks[one.trunk].conversation,
            "step": bench.trunks[one.trunk].targets[one.target].step,
        }
        for one in bench.steps
    ]
    lengths: list[int] = []

    def reward(completions: list[str], completion_ids: list[list[int]], **columns: Any) -> list[float]:
        lengths.extend(map(len, completion_ids))
        said = zip(completion_ids, columns["conversation"], columns["step"], strict=True)
        # trl's own text lacks the special tokens that a reply may hold; it is read as ours is
        return [_reward(bench, ids, conversation, step) for ids, conversation, step in said]

    trainer = TimedGrpo(
        model=AutoModelForCausalLM.from_pretrained(bench.model, dtype=torch.float32),
        reward_funcs=reward,
        args=bench.arguments(gradient_accumulation_steps=bench.settings.srl.batch),
        train_dataset=Dataset.from_list(rows),
        processing_class=bench.chat.tokenizer,
        rollout_func=None if groups is None else _replayed(bench, groups),
    )
    found, gradients = _run(trainer, bench)
    return {**found, "reply_tokens": sum(lengths) / len(lengths)}, gradients


def _reward(bench: Bench, ids: Sequence[int], conversation: str, step: int) -> float:
    text, ended = bench.chat.decode(ids)
    prefix = bench.trunks[0].reply_prefix  # the template's, the same in every trunk
    return bench.scorer.score(conversation, step, [prefix + text], truncated=[not ended])[0].value


def _replayed(bench: Bench, groups: Sequence[Group]) -> Callable[[list[Any], Any], dict[str, Any]]:
    """A rollout function that hands out the groups' replies, an update's worth a call."""
    size = bench.settings.srl.batch
    calls = iter(range(bench.updates))

    def rollout(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        first = next(calls) * size
        pairs = list(zip(bench.steps, groups, strict=True))[first : first + size]
        return {
            "prompt_ids": [list(bench.prompt(one)) for one, group in pairs for _ in group.replies],
            "completion_ids": [list(reply.token_ids) for _, group in pairs for reply in group.replies],
            "logprobs": None,
        }

    return rollout


def _run(trainer: Any, bench: Bench) -> tuple[dict[str, float], dict[str, Tensor]]:
    trainer.clock = bench.scorer.clock
    clock = StepClock(trainer.clock, bench.warmup)
    trainer.add_callback(clock)
    trainer.train()
    seconds = dict(trainer.clock.seconds)
    seconds["loss"] = seconds["step"] - seconds["rollout"] - seconds["score"]
    return {f"{phase}_seconds": value / bench.updates for phase, value in seconds.items()}, clock.gradients

"""What methods that learn from groups of replies share: sample, filter, refill, then GRPO on trees.

trl's GRPOTrainer keeps model preparation, optimizer, schedule, checkpoints and reporting; a training step is ours:
sample groups for the batch's steps, keep those whose rewards differ, refill, and put what is left through trees. There
is no KL term, as in the paper (table 8).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from accelerate.utils import gather_object
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from srl_swe_envs.errors import SrlSweError

from ..batches import StepId
from ..groups import DynamicSampling, Group, Verdict, verdict
from ..rollout.sampling import seed_of
from ..settings import GroupSettings
from ..tree.loss import LossConfig
from ..tree.types import Tree
from .group_metrics import reward_metrics
from .tree_training import TrainingData, TreeTraining


class NothingToLearnError(SrlSweError):
    """Raised when no group passes the filter for many updates in a row."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """What a training step has collected."""

    sampling: DynamicSampling
    used: set[StepId] = field(default_factory=set)
    groups: dict[StepId, Group] = field(default_factory=dict)
    """This rank's groups that joined the batch."""
    seen: list[Group] = field(default_factory=list)
    """All of this rank's groups, for metrics."""


class GroupTrainer(TreeTraining, GRPOTrainer):  # type: ignore[misc]  # trl is untyped for us
    """GRPO with dynamic sampling on trees; subclasses give `sampled` and `tree`."""

    settings: GroupSettings
    advice = ""
    """What to do when no group teaches anything."""

    def __init__(
        self,
        *,
        model: object,
        args: GRPOConfig,
        data: TrainingData,
        settings: GroupSettings,
        keep_samples: Callable[[str, int, Sequence[Group]], None],
    ) -> None:
        placeholder = Dataset.from_dict({"prompt": [""]})  # batches come from `data.order`, see `trees_of_step`
        GRPOTrainer.__init__(
            self,
            model=model,
            reward_funcs=_scored_in_trees_of_step,
            args=args,
            train_dataset=placeholder,
            eval_dataset=placeholder,
            processing_class=data.chat.tokenizer,
        )
        self.data = data
        self.settings = settings
        self.keep_samples = keep_samples
        self.fruitless = 0
        self.temperature = args.temperature
        self.loss_config = LossConfig(
            clip_low=settings.clip,
            clip_high=settings.clip_higher,
            aggregation="response" if settings.aggregation == "per_response" else "token",
        )

    def sampled(self, steps: Sequence[StepId], *, seed: int) -> dict[StepId, Group]:
        """This rank's share of the steps, each with a group of replies and their rewards."""
        raise NotImplementedError

    def tree(self, trunk: int, members: Sequence[tuple[int, Group]]) -> Tree:
        """The tree of one trunk's kept groups, given as (target, group) in order."""
        raise NotImplementedError

    def verdict(self, group: Group) -> Verdict:
        """What the filter says of a group."""
        return verdict(group, self.settings.epsilon)

    def metrics(self, groups: Sequence[Group]) -> dict[str, float]:
        """Numbers of the groups that all ranks sampled for a batch."""
        return reward_metrics(groups)

    def trees_of_step(self, step: int) -> list[Tree]:
        """Sample, filter and refill until the batch is full or the rounds are spent; this rank's trees."""
        wanted = self.data.order.batch(step, self.settings.batch)
        batch = Batch(sampling=DynamicSampling(wanted=len(wanted), enabled=self.settings.dynamic_sampling))
        for round_ in range(self.settings.refill_rounds + 1):
            self._sample_round(batch, wanted, step, round_)
            if not batch.sampling.missing or not self.settings.dynamic_sampling:
                break
            wanted = self.data.order.refill(step, round_, batch.sampling.missing, batch.used)
            if not wanted:
                break
        self.account(batch, step)
        return [self.tree(trunk, members) for trunk, members in _members(batch.groups).items()]

    def _sample_round(self, batch: Batch, wanted: Sequence[StepId], step: int, round_: int) -> None:
        fresh = [one for one in dict.fromkeys(wanted) if one not in batch.used]
        batch.used.update(fresh)
        scored = self.sampled(fresh, seed=seed_of(self.args.seed, step, round_, bits=31))
        said: list[tuple[StepId, Verdict]] = gather_object(
            [(one, self.verdict(group)) for one, group in scored.items()]
        )
        place = {one: number for number, one in enumerate(fresh)}
        joined = batch.sampling.add(sorted(said, key=lambda item: place[item[0]]))
        batch.groups.update({one: group for one, group in scored.items() if one in joined})
        batch.seen.extend(scored.values())

    def timed(self, name: str, began: float) -> float:
        """Record the seconds since `began`; gives the time now."""
        now = time.perf_counter()
        self.record(name, now - began)
        return now

    def account(self, batch: Batch, step: int) -> None:
        """Log what sampling did, keep samples, and end a run that learns nothing."""
        sampling = batch.sampling
        for name, value in self.metrics(gather_object(batch.seen)).items():
            self.record(name, value)
        self.record("sampling/groups", sampling.sampled)
        self.record("sampling/kept", sampling.kept)
        self.record("sampling/rounds", sampling.rounds)
        for reason in ("all_malformed", "all_perfect", "all_equal", "without_reward"):
            self.record(f"sampling/{reason}", sampling.verdicts[reason])
        if self.accelerator.is_main_process:
            self.keep_samples("train", step, batch.seen)
        self.fruitless = 0 if sampling.kept else self.fruitless + 1
        if self.fruitless >= self.settings.patience:
            said = ", ".join(f"{count} {reason}" for reason, count in sampling.verdicts.items())
            raise NothingToLearnError(
                f"no group passed the filter in {self.fruitless} updates (last one: {said}). {self.advice}"
            )


def _scored_in_trees_of_step(prompts: Any, **columns: Any) -> list[float]:
    """trl wants a reward function; replies are scored where the batch is made, so this one is never asked."""
    raise AssertionError("replies are scored in trees_of_step")


def _members(groups: dict[StepId, Group]) -> dict[int, list[tuple[int, Group]]]:
    """Kept groups by trunk, in the order of their targets."""
    found: dict[int, list[tuple[int, Group]]] = {}
    for one in sorted(groups):
        found.setdefault(one.trunk, []).append((one.target, groups[one]))
    return found

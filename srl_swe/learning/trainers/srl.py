"""Supervised reinforcement learning: groups of replies to the expert's steps, scored by similarity (GRPO)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from trl import GRPOConfig

from ...conversations import ReplyScorer
from ..batches import StepId, by_trunk
from ..groups import Group
from ..rollout.sampler import prompt_tree, score_group
from ..settings import SrlSettings
from ..tree.planner import TreeCost, balance
from ..tree.types import Branch, Tree
from .group_metrics import reply_metrics
from .group_training import GroupTrainer
from .tree_training import TrainingData


class SrlTrainer(GroupTrainer):
    """GRPO with dynamic sampling over step instances, one tree per trajectory."""

    settings: SrlSettings
    advice = (
        "If all are malformed, start from a model that knows the reply format (stages = ['sft', 'srl']); "
        "if all are equal or perfect, raise rollout.temperature or lower srl.epsilon"
    )

    def __init__(
        self,
        *,
        model: object,
        args: GRPOConfig,
        data: TrainingData,
        scorer: ReplyScorer,
        settings: SrlSettings,
        keep_samples: Callable[[str, int, Sequence[Group]], None],
    ) -> None:
        super().__init__(model=model, args=args, data=data, settings=settings, keep_samples=keep_samples)
        self.scorer = scorer
        self.loss_config = replace(self.loss_config, expert_weight=settings.expert_weight)

    def sampled(self, steps: Sequence[StepId], *, seed: int) -> dict[StepId, Group]:
        """This rank's share of the steps, by whole trunks, each with a scored group of replies."""
        began = time.perf_counter()
        replied = self._replied(steps, seed)
        began = self.timed("time/rollout_s", began)
        scored = {one: score_group(group, self.scorer) for one, group in replied.items()}
        self.timed("time/score_s", began)
        return scored

    def metrics(self, groups: Sequence[Group]) -> dict[str, float]:
        """Also how replies were made."""
        return {**super().metrics(groups), **reply_metrics(groups)}

    def _replied(self, steps: Sequence[StepId], seed: int) -> dict[StepId, Group]:
        chosen = by_trunk(steps)
        trunks = list(chosen)
        costs = [self._cost(trunk, chosen[trunk]) for trunk in trunks]
        shares = balance(costs, self.accelerator.num_processes)
        mine = [trunks[place] for place in shares[self.accelerator.process_index]]
        requests = [(self.data.trunks[trunk], chosen[trunk]) for trunk in mine]
        groups = self.data.sampler.sample(self.model, requests, replies=self.settings.replies, seed=seed)
        names = [StepId(trunk=trunk, target=target) for trunk in mine for target in chosen[trunk]]
        return dict(zip(names, groups, strict=True))

    def _cost(self, trunk: int, targets: tuple[int, ...]) -> TreeCost:
        """What a trunk's groups will cost, guessing replies as long as the expert's."""
        whole = self.data.trunks[trunk]
        spans = [whole.targets[target].expert_span for target in targets]
        ends = [whole.targets[target].prompt_end for target in targets]
        replies = [(end - begin) * self.settings.replies for begin, end in spans]
        pairs = sum(prompt * reply for prompt, reply in zip(ends, replies, strict=True))
        return TreeCost(tokens=max(ends) + sum(replies), pairs=pairs + max(ends) ** 2 // 2)

    def tree(self, trunk: int, members: Sequence[tuple[int, Group]]) -> Tree:
        """A trunk with the replies to the kept steps as branches."""
        whole = self.data.trunks[trunk]
        targets = tuple(target for target, _ in members)
        branches = tuple(
            Branch(step=step, token_ids=reply.token_ids, advantage=advantage, sampler_logps=reply.logps or None)
            for step, (_, group) in enumerate(members)
            for reply, advantage in zip(
                group.replies, group.advantages(normalise=self.settings.normalise_advantages), strict=True
            )
        )
        prompts = prompt_tree(whole, targets)
        spans: tuple[tuple[int, int], ...] = ()
        token_ids = prompts.trunk
        if self.settings.expert_weight:
            spans = tuple(whole.targets[target].expert_span for target in targets)
            token_ids = whole.token_ids[: max(len(token_ids), *(end for _, end in spans))]
        return Tree(trunk=token_ids, steps=prompts.steps, branches=branches, expert_spans=spans)

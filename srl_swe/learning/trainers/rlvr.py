"""Reinforcement learning on whole episodes: groups of episodes of one task, rewarded by the task's own verdict (GRPO).

A group's opening is the trunk of a tree and its episodes are the branches, with the loss on the model's own tokens.
Episodes may begin at an expert's step, and each reply may be rewarded by its similarity to the expert's next step; see
`RlvrSettings`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from trl import GRPOConfig

from ..batches import StepId
from ..curriculum import Curriculum
from ..episode_groups import episodes_of, success, turn_advantages, turn_verdict
from ..groups import Group, Verdict
from ..heldout_episodes import HeldoutEpisodes
from ..rollout.episodes import EpisodePlayer, Start
from ..settings import RlvrSettings
from ..tree.types import Branch, Step, Tree
from .episode_metrics import episode_metrics
from .group_training import Batch, GroupTrainer
from .tree_training import TrainingData

STATE_FILE = "episodes.json"


@dataclass(slots=True, kw_only=True)
class EpisodeState:
    """What a checkpoint keeps besides the model."""

    curriculum: Curriculum
    dropped: set[int] = field(default_factory=set)
    """Tasks whose expert's way could not be repeated here."""

    def record(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "turns": self.curriculum.turns,
            "recent": list(self.curriculum.recent),
            "dropped": sorted(self.dropped),
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Inverse of `record`."""
        settings = self.curriculum.settings
        self.curriculum = Curriculum(settings=settings, turns=record["turns"], recent=tuple(record["recent"]))
        self.dropped = set(record["dropped"])


class RlvrTrainer(GroupTrainer):
    """GRPO with dynamic sampling over tasks, one tree per group of episodes."""

    settings: RlvrSettings
    advice = (
        "If all are equal, no episode of a group fares better than another: take easier tasks, begin at an expert's "
        "step (rlvr.start = 'expert'), train by 'srl' first, or raise rollout.temperature"
    )

    def __init__(
        self,
        *,
        model: object,
        args: GRPOConfig,
        data: TrainingData,
        player: EpisodePlayer,
        heldout: HeldoutEpisodes,
        settings: RlvrSettings,
        keep_samples: Callable[[str, int, Sequence[Group]], None],
    ) -> None:
        """`data.order` numbers the player's tasks; `data.trunks` and `data.heldout` may be empty."""
        super().__init__(model=model, args=args, data=data, settings=settings, keep_samples=keep_samples)
        self.player = player
        self.heldout = heldout
        self.episode_state = EpisodeState(curriculum=Curriculum.first(settings.bridge))

    def sampled(self, steps: Sequence[StepId], *, seed: int) -> dict[StepId, Group]:
        """This rank's share of the tasks, each with a group of finished episodes."""
        left = [one for one in steps if one.trunk not in self.episode_state.dropped]
        mine = left[self.accelerator.process_index :: self.accelerator.num_processes]
        began = time.perf_counter()
        groups = self.player.play(
            self.model, [self._start(one.trunk) for one in mine], replies=self.settings.replies, seed=seed
        )
        self.timed("time/rollout_s", began)
        found = dict(zip(mine, groups, strict=True))
        unusable = [one.trunk for one, group in found.items() if _unusable(group)]
        self.episode_state.dropped.update(gather_object(unusable))
        return found

    def verdict(self, group: Group) -> Verdict:
        """By the episodes' rewards, or by those of their replies."""
        if self.settings.reward == "similarity":
            return turn_verdict(group, self.settings.epsilon)
        return super().verdict(group)

    def tree(self, trunk: int, members: Sequence[tuple[int, Group]]) -> Tree:
        """The opening as trunk, the episodes that have a reward as branches."""
        ((_, group),) = members
        return episode_tree(group, by_turn=self.settings.reward == "similarity", settings=self.settings)

    def metrics(self, groups: Sequence[Group]) -> dict[str, float]:
        """Also how episodes went."""
        return {**super().metrics(groups), **episode_metrics(groups)}

    def account(self, batch: Batch, step: int) -> None:
        """Also move the start of the coming episodes."""
        state = self.episode_state
        if self.settings.start == "expert":
            known = [(group.trunk.conversation, rate) for group in batch.seen if (rate := success(group)) is not None]
            rates = [rate for _, rate in sorted(gather_object(known))]  # the same however the ranks shared the tasks
            state.curriculum = state.curriculum.after(rates)
            self.record("bridge/turns", state.curriculum.turns)
            self.record("bridge/dropped", len(state.dropped))
        super().account(batch, step)

    def measured(self) -> dict[str, float]:
        """Also the share of held-out tasks that greedy episodes resolve; `eval_choice` picks the best checkpoint."""
        metrics = super().measured() if self.data.heldout.trunks else {}
        result, groups = self.heldout.measure(
            self.model, self.accelerator.process_index, self.accelerator.num_processes
        )
        total = sum(gather_object([result]), type(result)())
        if self.accelerator.is_main_process:
            self.keep_samples("heldout_episodes", self.state.global_step, groups)
        metrics |= {f"eval_{name}": value for name, value in total.metrics().items()}
        metrics["eval_choice"] = metrics["eval_resolved"] + 1e-6 * metrics.get("eval_reward", 0.0)
        return metrics

    def resume_episodes(self, checkpoint: Path) -> None:
        """Take up the state that a checkpoint kept."""
        self.episode_state.restore(json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8")))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.accelerator.is_main_process:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            (folder / STATE_FILE).write_text(json.dumps(self.episode_state.record()) + "\n", encoding="utf-8")

    def _start(self, task: int) -> Start:
        if self.settings.start == "task":
            return Start(task=task)
        return Start(task=task, step=self.episode_state.curriculum.step(self.player.episodes.expert_turns(task)))


def episode_tree(group: Group, *, by_turn: bool, settings: RlvrSettings) -> Tree:
    """A group's tree; episodes without a reward are no branches, so they are in no divisor either."""
    if by_turn:
        epsilon = settings.epsilon if settings.dynamic_sampling else 0.0
        columns = turn_advantages(group, epsilon=epsilon, normalise=settings.normalise_advantages)
    else:
        columns = ()
    branches = []
    for number, (episode, advantage) in enumerate(
        zip(episodes_of(group), group.advantages(normalise=settings.normalise_advantages), strict=True)
    ):
        if group.rewards[number].status not in ("scored", "malformed"):
            continue
        branches.append(
            Branch(
                step=0,
                token_ids=episode.token_ids,
                advantage=advantage,
                advantages=columns[number] if by_turn else None,
                sampler_logps=episode.logps or None,
                trained=episode.trained,
            )
        )
    trunk = group.trunk.token_ids
    return Tree(trunk=trunk, steps=(Step(prompt_end=len(trunk)),), branches=tuple(branches))


def _unusable(group: Group) -> bool:
    return any(episode.stop == "unusable_start" for episode in episodes_of(group))

"""Supervised fine-tuning: the expert's replies on the trunk, one pass per trajectory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transformers import TrainingArguments

from ..batches import by_trunk
from ..chat_tokens import Trunk
from ..groups import Group
from ..settings import SftSettings
from ..tree.loss import LossConfig
from ..tree.types import Tree
from .tree_training import TrainingData, TreeTraining


class SftTrainer(TreeTraining):
    """Maximises the mean log-probability of the expert's reply tokens."""

    def __init__(
        self,
        *,
        model: object,
        args: TrainingArguments,
        data: TrainingData,
        settings: SftSettings,
        keep_samples: Callable[[str, int, Sequence[Group]], None],
    ) -> None:
        placeholder = [{"step": 0}]  # batches come from `data.order`, see `trees_of_step`
        super().__init__(
            model=model,
            args=args,
            train_dataset=placeholder,
            eval_dataset=placeholder,
            processing_class=data.chat.tokenizer,
        )
        self.data = data
        self.settings = settings
        self.keep_samples = keep_samples
        self.loss_config = LossConfig(expert_weight=1.0)

    def trees_of_step(self, step: int) -> list[Tree]:
        """The batch's trajectories up to their last chosen step, chosen replies as spans; this rank's share."""
        chosen = by_trunk(self.data.order.batch(step, self.settings.batch))
        mine = list(chosen)[self.accelerator.process_index :: self.accelerator.num_processes]
        return [expert_tree(self.data.trunks[trunk], chosen[trunk]) for trunk in mine]


def expert_tree(trunk: Trunk, targets: tuple[int, ...]) -> Tree:
    """A trunk cut after the last of some targets, with their expert replies as spans."""
    spans = tuple(trunk.targets[target].expert_span for target in targets)
    return Tree(trunk=trunk.token_ids[: max(end for _, end in spans)], expert_spans=spans)

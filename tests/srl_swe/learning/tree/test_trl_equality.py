"""On the same replies, a tree gives the loss and gradients of trl's own padded `GRPOTrainer._compute_loss`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from srl_swe.learning.tree import LossConfig, Normaliser, Tree, loss_backward, prepare
from tests.srl_swe.learning.tree.models import VOCABULARY, gradients, make_model, make_tree, relative_difference


@pytest.mark.parametrize(("loss_type", "aggregation"), [("grpo", "response"), ("bnpo", "token")])
def test_tree_loss_and_gradients_are_trls(loss_type: str, aggregation: str, tmp_path: Path) -> None:
    tree = make_tree(group=4, suffix=2, sampler=False)
    trainer = make_trainer(loss_type, tmp_path)
    model = trainer.model.train()
    expected = trainer._compute_loss(model, padded(tree, model))
    expected.backward()
    reference = gradients(model)
    prepare(model)
    config = LossConfig(clip_low=0.2, clip_high=0.28, aggregation=aggregation)
    for max_tokens in (10_000, 33):
        sums = loss_backward(
            model, [tree], loss=config, normaliser=Normaliser.of([tree]), max_tokens=max_tokens, temperature=0.9
        )
        assert sums.loss == pytest.approx(float(expected.detach()), rel=1e-4, abs=1e-6)
        assert relative_difference(gradients(model), reference) <= 2e-5


def make_trainer(loss_type: str, folder: Path) -> GRPOTrainer:
    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="w0")), pad_token="w0", eos_token="w1"
    )
    arguments = GRPOConfig(
        output_dir=str(folder), loss_type=loss_type, epsilon=0.2, epsilon_high=0.28, temperature=0.9, beta=0.0,
        num_generations=4, per_device_train_batch_size=4, report_to="none", use_cpu=True, bf16=False,
        gradient_checkpointing=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=make_model("qwen3", torch.float32),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": ["w5 w6"] * 4}),
        processing_class=tokenizer,
    )
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def padded(tree: Tree, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The tree's replies as trl lays them out: prompts padded on the left, completions on the right."""
    names = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
    columns: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for branch in tree.branches:
        prompt, reply = torch.tensor(tree.prompt(branch.step)), torch.tensor(branch.token_ids)
        columns["prompt_ids"].append(prompt.flip(0))
        columns["prompt_mask"].append(torch.ones_like(prompt))
        columns["completion_ids"].append(reply)
        columns["completion_mask"].append(torch.ones_like(reply))
    inputs = {name: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) for name, rows in columns.items()}
    inputs.update({name: inputs[name].flip(1) for name in ("prompt_ids", "prompt_mask")})
    inputs["advantages"] = torch.tensor([branch.advantage for branch in tree.branches])
    return inputs

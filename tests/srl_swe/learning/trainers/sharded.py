"""One of several ranks: a model sharded by FSDP2 over them gets the gradients of one that is whole. Run by torchrun.

Prints, on the first rank, a JSON line of cases and the worst parameter's relative distance.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from srl_swe.__main__ import run
from srl_swe.learning.flat import flat_loss_backward
from srl_swe.learning.rollout.decoder import generate
from srl_swe.learning.rollout.sampling import SamplingParams
from srl_swe.learning.trainers.distribution import Shards
from srl_swe.learning.tree import LossConfig, Normaliser, Tree, loss_backward, prepare
from tests.srl_swe.learning.tree.models import gradients, make_model, make_tree, relative_difference

LOSS = LossConfig(clip_high=0.28, expert_weight=0.3)
TREES = (
    make_tree(seed=1, suffix=2),
    make_tree(seed=2, spans=((5, 9),)),
    make_tree(seed=3, trunk=20, ends=(5, 20), longest=5),
)
Learn = Callable[..., Any]


def made(*, checkpointing: bool) -> nn.Module:
    """The model that every rank starts from."""
    model: Any = make_model("qwen3", torch.float32).train()
    prepare(model)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    whole: nn.Module = model
    return whole


def expected(learn: Learn, *, checkpointing: bool) -> dict[str, Tensor]:
    """Gradients of all trees by one rank alone."""
    model = made(checkpointing=checkpointing)
    learn(model, TREES, loss=LOSS, normaliser=Normaliser.of(TREES), max_tokens=33)
    return gradients(model)


def shared(learn: Learn, mine: tuple[Tree, ...], ranks: int, *, checkpointing: bool) -> dict[str, Tensor]:
    """The same by all ranks together, after replies that only some of them decode."""
    model: Any = made(checkpointing=checkpointing)
    mesh = init_device_mesh("cpu", (ranks,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    spread = Shards(model, ranks)
    prompts = [Tree(trunk=tree.trunk, steps=tree.steps) for tree in mine]
    sampling = SamplingParams(max_new_tokens=5)
    with spread.whole():
        replies = generate(model, prompts, group_size=2, sampling=sampling)
    assert replies == generate(made(checkpointing=False), prompts, group_size=2, sampling=sampling)
    learn(
        model,
        mine,
        loss=LOSS,
        normaliser=Normaliser.of(TREES),
        max_tokens=33,
        lockstep=spread.lockstep,
        scale=spread.scale,
    )
    spread.reduce()
    return {name: parameter.grad.full_tensor() for name, parameter in model.named_parameters()}


def main() -> int:
    """Compare all cases."""
    state = PartialState(cpu=True)
    torch.set_num_threads(1)
    shares = {"uneven": (TREES[:2], TREES[2:]), "one rank has none": (TREES, ())}
    found = {}
    for name, share in shares.items():
        for learn in (loss_backward, flat_loss_backward):
            for checkpointing in (False, True):
                mine = share[state.process_index]
                together = shared(learn, mine, state.num_processes, checkpointing=checkpointing)
                alone = expected(learn, checkpointing=checkpointing)
                found[f"{name}, {learn.__name__}, {checkpointing}"] = relative_difference(together, alone)
    if state.is_main_process:
        print(json.dumps(found))
    state.destroy_process_group()
    return 0


if __name__ == "__main__":
    run(main)

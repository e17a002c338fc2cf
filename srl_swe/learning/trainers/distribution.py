"""How the ranks of a run hold a model, and how their gradients become one.

Whole trajectories live on one rank. The loss of every rank is divided by counts of the whole batch, so that gradients
are summed over ranks, never averaged, and the update is the same however many ranks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from srl_swe_envs.errors import ConfigError

from ..tree.lockstep import Turn, alone, filled, merged


class Distribution(Protocol):
    """One way to spread training over ranks."""

    @property
    def model(self) -> nn.Module:
        """What forwards go through."""
        ...

    def lockstep(self, turns: Sequence[Turn]) -> AbstractContextManager[Callable[[Turn], None]]:
        """See `tree.lockstep.Lockstep`."""
        ...

    def sum_gradients(self) -> None:
        """Make every rank's gradients those of the whole batch, after the last backward. A collective operation."""
        ...

    def whole(self) -> AbstractContextManager[None]:
        """Inside, every rank has all weights and forwards as it likes, without gradients. A collective operation."""
        ...


@dataclass(frozen=True, slots=True)
class Replicas:
    """Every rank holds the whole model: one rank alone, or several as under DDP.

    DDP's own reduction stays unused, as it happens in every backward and forwards do not go through its wrapper: a
    step here has many backwards, and a rank without a tree has none.
    """

    model: nn.Module
    ranks: int

    def lockstep(self, turns: Sequence[Turn]) -> AbstractContextManager[Callable[[Turn], None]]:
        """See Distribution; replicas meet in `sum_gradients` only."""
        return alone(turns)

    def sum_gradients(self) -> None:
        """See Distribution. A parameter without a gradient on this rank counts as zero."""
        if self.ranks == 1:
            return
        running = []
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                running.append(dist.all_reduce(parameter.grad, async_op=True))
        for work in running:
            work.wait()

    def whole(self) -> AbstractContextManager[None]:
        """See Distribution."""
        return nullcontext()


@dataclass(frozen=True, slots=True)
class Shards:
    """FSDP2: weights, gradients and optimizer state are cut over ranks, and gathered layer by layer in each forward and
    backward, in which all ranks take part. Every backward adds the mean over ranks to the shards of the gradient."""

    model: nn.Module
    ranks: int
    backward: Callable[[Tensor], None] = Tensor.backward

    @contextmanager
    def lockstep(self, turns: Sequence[Turn]) -> Iterator[Callable[[Turn], None]]:
        """See Distribution. Turns that this rank lacks are forwards of one token, whose gradient is zero."""
        with filled(merged(gather_object([tuple(turns)])), self._idle) as turn:
            yield turn

    def sum_gradients(self) -> None:
        """See Distribution: from the mean to the sum."""
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(self.ranks)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """See Distribution."""
        self._idle(False)  # the first forward tells FSDP which module is the root
        shards = [module for module in self.model.modules() if isinstance(module, FSDPModule)]
        groups = [group for module in shards for group in module._get_fsdp_state()._fsdp_param_groups]
        kept = [group.post_forward_mesh_info for group in groups]
        for module in shards:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        try:
            yield
        finally:
            for group, info in zip(groups, kept, strict=True):
                group.post_forward_mesh_info = info
            shards[0].reset_iter_state()  # reshards, and forgets forwards that other ranks may not have made

    def _idle(self, turn: Turn) -> None:
        with torch.set_grad_enabled(turn):
            ids = torch.zeros(1, 1, dtype=torch.long, device=next(self.model.parameters()).device)
            logits = self.model(input_ids=ids, use_cache=False).logits
            if turn:
                self.backward((logits * 0.0).sum())


def distribution(model: Any, accelerator: Any) -> Distribution:
    """The way that accelerate spread a model; raises ConfigError for one that is not supported."""
    plain: nn.Module = accelerator.unwrap_model(model)
    if isinstance(plain, FSDPModule):
        return Shards(plain, accelerator.num_processes, accelerator.backward)
    known = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU, DistributedType.MULTI_XPU)
    if accelerator.distributed_type not in known:
        raise ConfigError(
            f"training by {accelerator.distributed_type} is not supported; what is: examples/accelerate/ddp and fsdp2"
        )
    return Replicas(plain, accelerator.num_processes)

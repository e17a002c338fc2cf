"""How the ranks of a run hold a model, and how their gradients become one.

Whole trajectories live on one rank. The loss of every rank is divided by counts of the whole batch, so that gradients
are summed over ranks, never averaged, and the update is the same however many ranks there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from trl.models import unwrap_model_for_generation

from srl_swe_envs.errors import ConfigError

from ..tree.lockstep import Turn, alone, filled, merged


class Distribution(Protocol):
    """One way to spread training over ranks."""

    @property
    def model(self) -> nn.Module:
        """What forwards go through."""
        ...

    @property
    def scale(self) -> float:
        """By what a rank's loss is multiplied for the reduced gradients to be the sum over ranks."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one forward's scaled loss."""
        ...

    def lockstep(self, turns: Sequence[Turn]) -> AbstractContextManager[Callable[[Turn], None]]:
        """See `tree.lockstep.Lockstep`."""
        ...

    def reduce(self) -> None:
        """Make every rank's gradients those of the whole batch, after the last backward. A collective operation."""
        ...

    def whole(self) -> AbstractContextManager[Any]:
        """Inside, every rank has all weights and forwards as it likes, without gradients. A collective operation."""
        ...


@dataclass(frozen=True, slots=True)
class Replicas:
    """Every rank holds the whole model: one rank alone, or several as under DDP.

    DDP's own reduction stays unused, as it happens in every backward and forwards do not go through its wrapper: a
    step here has many backwards, and a rank without a tree has none.
    """

    model: nn.Module
    ranks: int = 1
    backward: Callable[[Tensor], None] = Tensor.backward
    scale: float = 1.0

    def lockstep(self, turns: Sequence[Turn]) -> AbstractContextManager[Callable[[Turn], None]]:
        """See Distribution; replicas meet in `reduce` only."""
        return alone(turns)

    def reduce(self) -> None:
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

    @property
    def scale(self) -> float:
        """See Distribution: from the mean to the sum."""
        return float(self.ranks)

    @contextmanager
    def lockstep(self, turns: Sequence[Turn]) -> Iterator[Callable[[Turn], None]]:
        """See Distribution. Turns that this rank lacks are forwards of one token, whose gradient is zero."""
        with filled(merged(gather_object([tuple(turns)])), self._idle) as turn:
            yield turn

    def reduce(self) -> None:
        """See Distribution: the backwards have done it."""

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
        idle(self.model, turn, self.backward)


@dataclass(slots=True)
class Partitions:
    """DeepSpeed ZeRO-3: as Shards, by DeepSpeed's engine, which steps the optimizer within the last backward."""

    model: nn.Module
    """The engine."""
    accelerator: Any
    left: int = 0
    """Backwards to come in this step."""

    @property
    def scale(self) -> float:
        """See Distribution: the engine averages over ranks."""
        return float(self.accelerator.num_processes)

    def backward(self, loss: Tensor) -> None:
        """See Distribution."""
        self.left -= 1
        self.accelerator.deepspeed_engine_wrapped.backward(loss, sync_gradients=self.left == 0, scale_wrt_gas=False)

    @contextmanager
    def lockstep(self, turns: Sequence[Turn]) -> Iterator[Callable[[Turn], None]]:
        """See Distribution, and Shards."""
        schedule = merged(gather_object([tuple(turns)]))
        self.left = sum(schedule)
        with filled(schedule, self._idle) as turn:
            yield turn

    def reduce(self) -> None:
        """See Distribution: the backwards have done it."""

    def whole(self) -> AbstractContextManager[Any]:
        """See Distribution."""
        kept: AbstractContextManager[Any] = unwrap_model_for_generation(
            self.model, self.accelerator, gradient_checkpointing_kwargs={"use_reentrant": False}
        )
        return kept

    def _idle(self, turn: Turn) -> None:
        idle(self.model, turn, self.backward)


def idle(model: nn.Module, turn: Turn, backward: Callable[[Tensor], None]) -> None:
    """A forward of one token, with a backward that adds zero or without."""
    with torch.set_grad_enabled(turn):
        ids = torch.zeros(1, 1, dtype=torch.long, device=next(model.parameters()).device)
        logits = model(input_ids=ids, use_cache=False).logits
        if turn:
            backward((logits * 0.0).sum())


_REPLICATED = tuple(DistributedType(name) for name in ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU"))


def distribution(model: Any, accelerator: Any) -> Distribution:
    """The way that accelerate spread a model; raises ConfigError for one that is not supported."""
    kind, ranks = accelerator.distributed_type, accelerator.num_processes
    plain: nn.Module = accelerator.unwrap_model(model)
    if kind == DistributedType.FSDP and accelerator.is_fsdp2:
        if os.environ.get("FSDP_CPU_RAM_EFFICIENT_LOADING", "").lower() in ("1", "true"):
            raise ConfigError("fsdp_cpu_ram_efficient_loading must be false: every rank measures the model first")
        cut = isinstance(plain, FSDPModule)
        return Shards(plain, ranks, accelerator.backward) if cut else Replicas(plain)
    if kind == DistributedType.DEEPSPEED and accelerator.state.deepspeed_plugin.zero_stage == 3:
        cut = model is not plain
        return Partitions(model, accelerator) if cut else Replicas(plain)
    if kind not in _REPLICATED:
        raise ConfigError(f"training by {kind} as configured is not supported; examples/accelerate has what is")
    return Replicas(plain, ranks, accelerator.backward)

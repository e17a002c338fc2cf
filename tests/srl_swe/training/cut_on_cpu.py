"""`srl-swe` on ranks of CPU that accelerate takes for accelerators: it cuts models over those only.

Everything but where accelerate looks for devices is as on GPUs: gloo stands in for NCCL.
"""

from __future__ import annotations

from typing import Any

from accelerate.state import PartialState
from accelerate.utils import DistributedType

import srl_swe.training.methods
import srl_swe.training.ranks
from srl_swe.__main__ import run


def backend(*arguments: Any) -> tuple[str, DistributedType]:
    """What `PartialState` is told to use."""
    return "gloo", DistributedType.MULTI_GPU


def with_accelerator() -> bool:
    """Stands for `ranks.on_cpu`."""
    return False


if __name__ == "__main__":
    PartialState._prepare_backend = backend
    for module in (srl_swe.training.ranks, srl_swe.training.methods):
        module.on_cpu = with_accelerator  # type: ignore[attr-defined]
    run()

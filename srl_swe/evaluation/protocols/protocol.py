"""What every protocol offers."""

from __future__ import annotations

import typing

from ...policies.protocol import Policy, Sampling
from ...rollout import Rollout
from ..items import Item


class Protocol(typing.Protocol):
    """Asks a policy for a patch of one task."""

    @property
    def name(self) -> str:
        """The protocol's name in reports."""
        ...

    @property
    def quirks(self) -> tuple[str, ...]:
        """What a reader of a number made with it must know, one sentence each; reports list them."""
        ...

    def solve(self, item: Item, policy: Policy, sampling: Sampling) -> Rollout:
        """One sample; raises WorkspaceError and PolicyError when the infrastructure failed."""
        ...

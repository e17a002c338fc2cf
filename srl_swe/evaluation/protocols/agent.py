"""The `agent` protocol: many turns in the task's workspace, in the dialect that the model was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from srl_swe_envs.swe_env import SweEnv
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

from ...policies.protocol import Policy, Sampling
from ...prompts import PromptSet
from ...rollout import EpisodeLimits, Rollout, run_episode
from ..items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProtocol:
    """Plays an episode of the live world."""

    open_workspace: Callable[[Task], Workspace]
    prompts: PromptSet
    limits: EpisodeLimits = field(default_factory=EpisodeLimits)
    command_timeout_s: float = 60.0
    last_rounds: int | None = None
    """Rounds of history that the model sees; None shows all."""
    name: str = "agent"

    @property
    def quirks(self) -> tuple[str, ...]:
        """The limits decide too: an agent that runs into one has its workspace's diff taken as the patch."""
        seen = "" if self.last_rounds is None else f", of which the last {self.last_rounds} are seen"
        return (
            f"dialect {self.prompts.dialect}, at most {self.limits.max_turns} turns{seen}; "
            "an episode that ends without a submission is graded by the files as they are",
        )

    def solve(self, item: Item, policy: Policy, sampling: Sampling) -> Rollout:
        """One episode."""
        env = SweEnv(
            [item.task],
            mode="live",
            dialect=self.prompts.dialect,
            open_workspace=self.open_workspace,
            grade=None,
            timeout_s=self.command_timeout_s,
        )
        try:
            return run_episode(
                env, policy, self.prompts, limits=self.limits, sampling=sampling, last_rounds=self.last_rounds
            )
        finally:
            env.close()

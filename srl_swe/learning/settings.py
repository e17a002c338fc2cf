"""Settings of the learner, free of any domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from srl_swe_envs.errors import ConfigError

from .rollout.vllm_settings import VllmRollout


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters by peft."""

    rank: int = 0
    """0 trains all weights."""
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    """Module names; empty: all linear layers but the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """How trajectory trees go through the model."""

    enabled: bool = True
    """False forwards one row per reply and samples with `generate`: for models whose layers are not all attention."""
    attention: Literal["auto", "struct", "cascade", "flex", "dense"] = "auto"
    tokens_per_pass: int = 4096
    """Bounds activation memory: no forward with gradient is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """Where replies come from."""

    engine: Literal["auto", "decoder", "generate", "vllm"] = "auto"
    """`decoder` shares trunks on plain transformers, `generate` is transformers' own. `auto`: `decoder`, or `generate`
    where trees are off."""
    temperature: float = 1.0
    top_p: float = 1.0
    max_reply_tokens: int = 1024
    cache_gib: float = 2.0
    """Bounds the memory of the replies that are decoded together."""
    gap_warning: float = 0.05
    """Mean distance of the sampler's log-probabilities from the trainer's above which a line warns."""
    vllm: VllmRollout = field(default_factory=VllmRollout)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """What every method's stage has: its length, its optimizer, and when it is measured."""

    batch: int
    """Units of learning per update."""
    epochs: float
    max_steps: int = 0
    """Training steps; 0 follows from `epochs`."""
    learning_rate: float
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    evaluate_every: int = 50
    keep_checkpoints: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SftSettings(StageSettings):
    """Supervised fine-tuning on the expert's replies (table 6: batch 64, lr 5e-6, cosine, warm-up 0.3, 3 epochs)."""

    batch: int = 64
    """Steps per update."""
    epochs: float = 3.0
    learning_rate: float = 5e-6
    schedule: Literal["constant", "cosine", "linear"] = "cosine"
    warmup: float = 0.3
    steps_per_trunk: int = 64
    """At most so many steps of one trajectory in a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings(StageSettings):
    """What methods that learn from groups of replies have besides (GRPO with DAPO's dynamic sampling)."""

    replies: int = 8
    """G."""
    clip: float = 0.2
    clip_higher: float = 0.28
    """Upper clip of the ratio (DAPO's clip-higher); set it to `clip` for a symmetric one."""
    aggregation: Literal["per_response", "per_token"] = "per_response"
    """`per_response` is the paper's equation 1 (1/|o_i|), `per_token` is DAPO's."""
    normalise_advantages: bool = True
    """Divide by the group's standard deviation."""
    dynamic_sampling: bool = True
    epsilon: float = 0.01
    """A group is kept iff the population standard deviation of its rewards exceeds this. Not zero: float noise would
    count as variance."""
    refill_rounds: int = 3
    """How often a batch is refilled after filtering."""
    patience: int = 20
    """Updates in a row with no group kept before the run ends with an explanation."""

    def __post_init__(self) -> None:
        if self.replies < 2:
            raise ConfigError("replies: a group needs at least 2 replies")


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotSettings:
    """Which steps `srl` learns: those that its start policy, asked once before training, can learn from."""

    enabled: bool = False
    replies: int = 8
    """Asked of the start policy at every step."""
    min_std: float = 0.01
    """A step is flat unless the population standard deviation of its rewards exceeds this."""
    solved: float = 0.95
    """A step is solved when the mean reward reaches this."""
    hopeless: float = 0.0
    """A step is hopeless when no reply earns more than this."""
    weight: int = 1
    """How often the half of the pivots with the larger deviation comes in an epoch; the others come once."""

    def __post_init__(self) -> None:
        if self.replies < 2 or self.weight < 1:
            raise ConfigError("replies must be at least 2 and weight at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SrlSettings(GroupSettings):
    """Supervised reinforcement learning (table 8: batch 512, lr 5e-7, 8 rollouts, temperature 1, no KL)."""

    batch: int = 512
    """Groups per update."""
    epochs: float = 30.0
    learning_rate: float = 5e-7
    expert_weight: float = 0.0
    """Weight of the expert's own log-likelihood, an SFT term on the same trunk."""
    steps_per_trunk: int = 8
    """At most so many steps of one trajectory in a batch, to keep it diverse."""
    asynchronous: bool = False
    """Sample beside training, by trl's AsyncGRPOTrainer: `docs/training.md` has what it needs."""
    max_staleness: int = 4
    """With `asynchronous`: replies of a policy older than so many updates are not learned."""
    pivots: PivotSettings = field(default_factory=PivotSettings)


Truncated: TypeAlias = Literal["zero", "masked", "graded"]
"""What an episode that ran into a limit is worth: nothing, no part in its group (DAPO's overlong filtering), or the
verdict on what it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSettings:
    """How episodes are played, and what ends one that does not end by itself."""

    parallel: int = 16
    """Episodes alive at one time."""
    max_turns: int = 50
    max_tokens: int = 32768
    """Opening, replies and what came back. An episode ends where no further reply might fit."""
    time_limit_s: float = 1800.0
    """Time that the episode's own actions took; waiting for other episodes does not count."""
    max_malformed: int = 5
    """This many unreadable replies in a row end an episode."""
    truncated: Truncated = "zero"

    def __post_init__(self) -> None:
        if min(self.parallel, self.max_turns, self.max_malformed) < 1:
            raise ConfigError("parallel, max_turns and max_malformed must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """How episodes that begin at an expert's step move towards the task's beginning."""

    first_turns: int = 1
    """The expert's last turns that the first episodes have to do themselves."""
    raise_at: float = 0.5
    """One more turn each time the mean success of the last `window` groups has reached this."""
    window: int = 8

    def __post_init__(self) -> None:
        if self.first_turns < 1 or self.window < 1:
            raise ConfigError("first_turns and window must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RlvrSettings(GroupSettings):
    """Reinforcement learning from a verdict on whole episodes (table 7: batch 128, lr 5e-7, 8 rollouts, no KL)."""

    batch: int = 128
    """Tasks per update, each with a group of `replies` episodes."""
    epochs: float = 30.0
    learning_rate: float = 5e-7
    start: Literal["task", "expert"] = "task"
    """`expert`: episodes begin after some of an expert's turns (see `bridge`)."""
    reward: Literal["outcome", "similarity"] = "outcome"
    """`similarity` scores each reply against the expert's step of the same number, in the model's own history."""
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    bridge: BridgeSettings = field(default_factory=BridgeSettings)

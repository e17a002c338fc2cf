"""Settings of the learner, free of any domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..bounds import Count, CountOrNone, GroupSize, NotNegative, Positive, PositiveShare, Share
from .rollout.vllm_settings import VllmRollout


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters by peft."""

    rank: CountOrNone = 0
    """0 trains all weights."""
    alpha: Positive = 32.0
    """Scale; the adapter counts alpha / rank."""
    dropout: Share = 0.0
    """On the adapter's input."""
    targets: tuple[str, ...] = ()
    """Module names; empty: all linear layers but the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """How trajectory trees go through the model."""

    enabled: bool = True
    """False forwards one row per reply and samples with `generate`: for models whose layers are not all attention."""
    attention: Literal["auto", "struct", "cascade", "flex", "dense"] = "auto"
    """Four implementations with the same result; `auto` takes the fastest that passes its self-test on the device."""
    tokens_per_pass: Count = 4096
    """Bounds activation memory: no forward with gradient is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """Where replies come from."""

    engine: Literal["auto", "decoder", "generate", "vllm"] = "auto"
    """`decoder` shares trunks on plain transformers, `generate` is transformers' own. `auto`: `decoder`, or `generate`
    where trees are off."""
    temperature: Positive = 1.0
    """Of training, where replies are sampled; measuring is also greedy."""
    top_p: PositiveShare = 1.0
    """Below 1, log-probabilities stay those of the whole distribution."""
    max_reply_tokens: Count = 1024
    """A longer reply is cut, and malformed."""
    cache_gib: Positive = 2.0
    """Bounds the memory of the replies that are decoded together."""
    gap_warning: NotNegative = 0.05
    """Mean distance of the sampler's log-probabilities from the trainer's above which a line warns."""
    vllm: VllmRollout = field(default_factory=VllmRollout)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """What every method's stage has: its length, its optimizer, and when it is measured."""

    batch: Count
    """Units of learning per update, at most one epoch's."""
    epochs: Positive
    """Passes over the units, when `max_steps` is 0."""
    max_steps: CountOrNone = 0
    """Training steps; 0 follows from `epochs`."""
    learning_rate: NotNegative
    """AdamW's."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Of the learning rate, after the warm-up."""
    warmup: Share = 0.0
    """Share of the training steps over which the learning rate rises from 0."""
    weight_decay: NotNegative = 0.0
    """AdamW's."""
    max_grad_norm: NotNegative = 1.0
    """Gradients are scaled down to this norm; 0 leaves them."""
    evaluate_every: Count = 50
    """Training steps between two measurements, each with a checkpoint."""
    keep_checkpoints: Count = 2
    """The newest so many stay, and the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SftSettings(StageSettings):
    """Supervised fine-tuning on the expert's replies (table 6: batch 64, lr 5e-6, cosine, warm-up 0.3, 3 epochs)."""

    batch: Count = 64
    """Steps per update, at most one epoch's."""
    epochs: Positive = 3.0
    """Passes over the steps, when `max_steps` is 0."""
    learning_rate: NotNegative = 5e-6
    schedule: Literal["constant", "cosine", "linear"] = "cosine"
    warmup: Share = 0.3
    steps_per_trunk: Count = 64
    """At most so many steps of one trajectory in a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings(StageSettings):
    """What methods that learn from groups of replies have besides (GRPO with DAPO's dynamic sampling)."""

    replies: GroupSize = 8
    """G."""
    clip: NotNegative = 0.2
    """Lower clip of the ratio."""
    clip_higher: NotNegative = 0.28
    """Upper clip of the ratio (DAPO's clip-higher); set it to `clip` for a symmetric one."""
    aggregation: Literal["per_response", "per_token"] = "per_response"
    """`per_response` is the paper's equation 1 (1/|o_i|), `per_token` is DAPO's."""
    normalise_advantages: bool = True
    """Divide by the group's standard deviation."""
    dynamic_sampling: bool = True
    """Learn only from groups whose rewards differ (see `epsilon`); without it from all."""
    epsilon: NotNegative = 0.01
    """A group is kept iff the population standard deviation of its rewards exceeds this. Not zero: float noise would
    count as variance."""
    refill_rounds: CountOrNone = 3
    """How often a batch is refilled after filtering."""
    patience: Count = 20
    """Updates in a row with no group kept before the run ends with an explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotSettings:
    """Which steps `srl` learns: those that its start policy, asked once before training, can learn from."""

    enabled: bool = False
    """Off: all steps are learned."""
    replies: GroupSize = 8
    """Asked of the start policy at every step."""
    min_std: NotNegative = 0.01
    """A step is flat unless the population standard deviation of its rewards exceeds this."""
    solved: float = 0.95
    """A step is solved when the mean reward reaches this."""
    hopeless: float = 0.0
    """A step is hopeless when no reply earns more than this."""
    weight: Count = 1
    """How often the half of the pivots with the larger deviation comes in an epoch; the others come once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SrlSettings(GroupSettings):
    """Supervised reinforcement learning (table 8: batch 512, lr 5e-7, 8 rollouts, temperature 1, no KL)."""

    batch: Count = 512
    """Groups per update, at most one epoch's."""
    epochs: Positive = 30.0
    learning_rate: NotNegative = 5e-7
    expert_weight: NotNegative = 0.0
    """Weight of the expert's own log-likelihood, an SFT term on the same trunk."""
    steps_per_trunk: Count = 8
    """At most so many steps of one trajectory in a batch, to keep it diverse."""
    asynchronous: bool = False
    """Sample beside training, by trl's AsyncGRPOTrainer: `docs/training.md` has what it needs."""
    max_staleness: CountOrNone = 4
    """With `asynchronous`: replies of a policy older than so many updates are not learned."""
    pivots: PivotSettings = field(default_factory=PivotSettings)


Truncated: TypeAlias = Literal["zero", "masked", "graded"]
"""What an episode that ran into a limit is worth: nothing, no part in its group (DAPO's overlong filtering), or the
verdict on what it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSettings:
    """How episodes are played, and what ends one that does not end by itself."""

    parallel: Count = 16
    """Episodes alive at one time."""
    max_turns: Count = 50
    """Replies of one episode."""
    max_tokens: Count = 32768
    """Opening, replies and what came back. An episode ends where no further reply might fit."""
    time_limit_s: NotNegative = 1800.0
    """Time that the episode's own actions took; waiting for other episodes does not count."""
    max_malformed: Count = 5
    """This many unreadable replies in a row end an episode."""
    truncated: Truncated = "zero"
    """What an episode that ran into a limit is worth: `zero`, `masked` (no part in its group), or `graded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """How episodes that begin at an expert's step move towards the task's beginning."""

    first_turns: Count = 1
    """The expert's last turns that the first episodes have to do themselves."""
    raise_at: Share = 0.5
    """One more turn each time the mean success of the last `window` groups has reached this."""
    window: Count = 8
    """Groups that the mean is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RlvrSettings(GroupSettings):
    """Reinforcement learning from a verdict on whole episodes (table 7: batch 128, lr 5e-7, 8 rollouts, no KL)."""

    batch: Count = 128
    """Tasks per update, at most one epoch's, each with a group of `replies` episodes."""
    epochs: Positive = 30.0
    learning_rate: NotNegative = 5e-7
    start: Literal["task", "expert"] = "task"
    """`expert`: episodes begin after some of an expert's turns (see `bridge`)."""
    reward: Literal["outcome", "similarity"] = "outcome"
    """`similarity` scores each reply against the expert's step of the same number, in the model's own history."""
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    bridge: BridgeSettings = field(default_factory=BridgeSettings)

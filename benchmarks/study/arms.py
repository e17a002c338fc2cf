"""What is compared: the arms of the study, each some stages of training from the same start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Domain: TypeAlias = Literal["swe", "math"]
DOMAINS: tuple[Domain, ...] = ("swe", "math")
SEEDS = (0, 1, 2, 3, 4)
EXPERTS: Mapping[Domain, int] = {"swe": 100, "math": 100}
"""Expert trajectories that every arm has."""
CURVE = (25, 50, 100, 200)
"""Expert trajectories of the learning curve, for SFT and SRL."""
UPDATES: Mapping[Domain, Mapping[str, int]] = {
    "swe": {"start": 400, "sft": 430, "srl": 30, "all_groups": 30, "one_step": 20, "rlvr": 9, "rlvr_after": 9},
    "math": {
        "start": 800, "sft": 260, "srl": 22, "all_groups": 33, "one_step": 17, "pivots": 18, "rlvr": 17, "rlvr_after": 8
    },
}  # fmt: skip
"""Updates of each kind of stage, meant to cost the same CPU time (`start` aside): 340 s on tasks, and on mathematics
150 s with the first round's longer answers, reckoned from runs with seed 0, most of other lengths. A pipeline's
stages have half of them each, and pay loading and measuring twice. Without dynamic sampling an update samples less;
after another stage an episode is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to train.

    stages: methods in order, which share the compute; sets: values besides; lengths: which of `UPDATES` counts for a
    stage, when it is not the stage's own; domains: where the arm is run.
    """

    name: str
    title: str
    stages: tuple[str, ...]
    sets: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[Domain, ...] = DOMAINS

    def updates(self, domain: Domain, share: float) -> dict[str, int]:
        """Updates of each stage, for a share of the study's compute."""
        full = UPDATES[domain]
        return {
            stage: max(2, round(full[self.lengths.get(stage, stage)] * share / len(self.stages)))
            for stage in self.stages
        }


ARMS = (
    Arm(name="sft", title="SFT", stages=("sft",)),
    Arm(name="rlvr", title="RLVR", stages=("rlvr",)),
    Arm(name="sft_rlvr", title="SFT, then RLVR", stages=("sft", "rlvr"), lengths={"rlvr": "rlvr_after"}),
    Arm(
        name="srl_all_groups",
        title="SRL without dynamic sampling",
        stages=("srl",),
        sets={"srl.dynamic_sampling": "false"},
        lengths={"srl": "all_groups"},
    ),
    Arm(
        name="one_step",
        title="one-step similarity",
        stages=("srl",),
        sets={"prompt.merge_steps": "0", "rollout.max_reply_tokens": "640"},
        lengths={"srl": "one_step"},
    ),
    Arm(name="srl", title="SRL", stages=("srl",)),
    Arm(name="srl_rlvr", title="SRL, then RLVR", stages=("srl", "rlvr"), lengths={"rlvr": "rlvr_after"}),
    Arm(
        name="srl_pivots",
        title="SRL on pivots",
        stages=("srl",),
        sets={"srl.pivots.enabled": "true", "srl.pivots.replies": "4"},
        lengths={"srl": "pivots"},
        domains=("math",),
    ),
)
BY_NAME = {arm.name: arm for arm in ARMS}


def arms(domain: Domain) -> tuple[Arm, ...]:
    """The arms of a domain, in the order of the table."""
    return tuple(arm for arm in ARMS if domain in arm.domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training run of the study and its measurement. Arm `start` is the start itself."""

    domain: Domain
    arm: str
    experts: int
    seed: int

    @property
    def name(self) -> str:
        """The cell's file and folder."""
        return f"{self.domain}-{self.arm}-{self.experts}-{self.seed}"


def piece(domain: Domain, seed: int) -> list[Cell]:
    """All cells of a domain and a seed, in the order in which they are run."""
    experts = EXPERTS[domain]
    others = [count for count in CURVE if count != experts]
    return [
        Cell(domain=domain, arm="start", experts=0, seed=seed),
        *(Cell(domain=domain, arm=arm.name, experts=experts, seed=seed) for arm in arms(domain)),
        *(Cell(domain=domain, arm=arm, experts=count, seed=seed) for count in others for arm in ("sft", "srl")),
    ]

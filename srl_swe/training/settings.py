"""The configuration of a training run: one TOML file, every key with its default.

Defaults are the paper's where it gives one (arXiv 2510.25992, tables 6-8); where it gives none, `docs/training.md` says
why the default is what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from srl_swe_envs.errors import ConfigError

from ..bounds import Count, CountOrNone, Positive, Seed, Share
from ..domains.math.reading import MathReading
from ..learning.rollout.vllm_start import check_vllm
from ..learning.settings import (
    LoraSettings,
    RlvrSettings,
    RolloutSettings,
    SftSettings,
    SrlSettings,
    TreeSettings,
)
from ..learning.tiny import TinyModel
from ..prompts import OBSERVATION_CHARS, shown_rounds

STAGES = ("sft", "srl", "rlvr")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which trajectories are learned and which are held out."""

    domain: Literal["swe", "math"] = "swe"
    """`swe`: logs of software-engineering agents; `math`: solved problems, see `[math]`."""
    train: tuple[str, ...] = ()
    """Log files, folders or globs, in any format that `srl-swe ingest` reads; relative to the configuration file."""
    heldout: tuple[str, ...] = ()
    """Logs for held-out reward; when empty, `heldout_fraction` of the training trajectories is split off."""
    heldout_fraction: Share = 0.05
    """Of the tasks, not of the trajectories: those of one task stay together. At least one task."""
    outcome: Literal["resolved", "not_unresolved", "any"] = "not_unresolved"
    """Which outcomes are learned: only known successes, all but known failures, or all."""
    benchmark: str = ""
    """JSON Lines rows of the benchmark that the model will be evaluated on; see `srl-swe ingest --benchmark`."""
    include_contaminated: bool = False
    """Also learn from tasks of SWE-bench Verified (logs, episodes). Its resolve rate means nothing afterwards."""
    max_tokens: Count = 32768
    """Longer trajectories are cut after the last step whose prompt still fits."""
    heldout_steps: CountOrNone = 0
    """Measure at most so many held-out steps, evenly spread; 0 is all."""
    max_trajectories: CountOrNone = 0
    """Use only the first so many of each set; 0 is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """How steps are shown to the model."""

    dialect: Literal["xml", "fence", "tool_calls"] = "xml"
    """How a reply says its action; `agent_prompts` has a folder for each."""
    folder: str = ""
    """A prompt folder of one's own, relative to the configuration file."""
    history: str = "full"
    """`full`, or `last:n` rounds; the paper's figure 4 shows `last:2`."""
    thoughts: bool = True
    """Show the expert's thoughts in the history; without them the expert's replies can't be learned by `sft`."""
    observation_chars: Count = OBSERVATION_CHARS
    """Longer observations keep their head and tail."""
    include_last: bool = False
    """Also learn the last turn (N instead of the paper's N-1 instances)."""
    nesting: Literal["trunk", "per_step"] = "trunk"
    """`per_step` gives each step a trunk of its own, for chat templates that rewrite earlier turns."""
    merge_steps: CountOrNone = 1
    """How many consecutive turns make one step, whose reply holds all their actions. 0 makes the whole trajectory one
    step: the paper's one-step ablation (table 3)."""

    def __post_init__(self) -> None:
        shown_rounds(self.history)

    @property
    def last_rounds(self) -> int | None:
        """Rounds of history shown; None shows all."""
        return shown_rounds(self.history)


@dataclass(frozen=True, slots=True, kw_only=True)
class MathSettings(MathReading):
    """How mathematics is read and shown, where `data.domain` is `math`; `[prompt]` holds for it as well."""

    layout: Literal["partial", "turns"] = "partial"
    """`partial`: the steps so far stand in the user's message, as in the paper, and each step has a trunk of its own;
    `turns`: each step is a reply of one conversation, whose prompts nest."""
    next_title: bool = False
    """Show the coming step's number and title; its body alone is learned and compared (the paper's footnote 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """How a reply is scored against the expert's action."""

    scorer: Literal["characters", "tokens", "structured", "edit_effect", "embedding"] = "characters"
    """See `docs/ablations.md`."""
    autojunk: bool = False
    """difflib's default heuristic; with it near-copies of long edits can fall to 0.26."""
    wrapper: bool = False
    """Compare actions with their tags; unrelated commands then score about 0.75."""
    embedding_model: str = ""
    """For `embedding`: a Hugging Face encoder or causal LM: a directory (relative to the configuration) or hub id."""

    def __post_init__(self) -> None:
        if (self.autojunk or self.wrapper) and self.scorer != "characters":
            raise ConfigError("autojunk and wrapper are variants of scorer = 'characters'")
        if (self.scorer == "embedding") != bool(self.embedding_model):
            raise ConfigError("scorer = 'embedding' needs embedding_model, a directory or hub id; no other scorer does")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The model to start from."""

    path: str = ""
    """A Hugging Face causal LM: directory (relative to the configuration file) or hub id; empty: a tiny one is made."""
    precision: Literal["float32", "bfloat16", "mixed"] = "float32"
    """`mixed`: weights in float32, forward in bfloat16 under autocast."""
    gradient_checkpointing: bool = False
    """Less activation memory for about a third more compute."""
    tiny: TinyModel = field(default_factory=TinyModel)
    lora: LoraSettings = field(default_factory=LoraSettings)

    @property
    def weights(self) -> str:
        """The type that weights are kept in."""
        return "bfloat16" if self.precision == "bfloat16" else "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class RlvrStage(RlvrSettings):
    """The stage `rlvr`: which tasks its episodes are of, and where they run."""

    tasks: str = ""
    """`demo:train`, a file that `srl-swe tasks make` wrote, or rows of a SWE-bench data set; on mathematics a file of
    problems with answers, and when empty the problems of `data.train`."""
    heldout_tasks: str = ""
    """A set for the held-out resolve rate; when empty, `max_heldout_tasks` of `tasks` are held out, and none
    of them has an expert in `data.train` that `sft` or `srl` learn."""
    max_tasks: CountOrNone = 0
    """Learn from the first so many tasks only; 0 is all."""
    max_heldout_tasks: Count = 32
    """Measure at most so many held-out tasks, evenly spread."""
    backend: Literal["auto", "local", "docker"] = "auto"
    """Where workspaces are: sandboxes of this machine (demo and made tasks only) or containers."""
    command_timeout_s: Positive = 60.0
    """Wall time of one command of an episode."""
    test_timeout_s: Positive = 600.0
    """Wall time of the tests of one patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One training run."""

    data: DataSettings = field(default_factory=DataSettings)
    stages: tuple[str, ...] = ("srl",)
    """Methods in order, each starting from the best checkpoint of the one before: any of `sft`, `srl`, `rlvr`."""
    seed: Seed = 0
    """Of everything that is drawn. The same seed gives the same run, also after an interruption."""
    report_to: tuple[str, ...] = ("tensorboard",)
    """Also `wandb`, `trackio`: trl's reporting integrations."""
    model: ModelSettings = field(default_factory=ModelSettings)
    prompt: PromptSettings = field(default_factory=PromptSettings)
    math: MathSettings = field(default_factory=MathSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    tree: TreeSettings = field(default_factory=TreeSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    sft: SftSettings = field(default_factory=SftSettings)
    srl: SrlSettings = field(default_factory=SrlSettings)
    rlvr: RlvrStage = field(default_factory=RlvrStage)

    def __post_init__(self) -> None:
        unknown = [stage for stage in self.stages if stage not in STAGES]
        if unknown or not self.stages:
            raise ConfigError(f"stages: any of {', '.join(STAGES)} in order, not {unknown or 'nothing'}")
        self._check_episodes()
        self._check_rollouts()
        self._check_scorer()
        if not self.prompt.thoughts and ("sft" in self.stages or self.srl.expert_weight):
            raise ConfigError(
                "prompt.thoughts = false leaves thoughts out of the expert's replies too, and learning from them would "
                "teach malformed replies: leave out the stage 'sft' and srl.expert_weight, or show thoughts"
            )

    def _check_scorer(self) -> None:
        """What the scorer can compare."""
        math = self.data.domain == "math"
        if self.reward.scorer in ("structured", "edit_effect") and (math or self.prompt.merge_steps != 1):
            raise ConfigError(
                f"reward.scorer = {self.reward.scorer!r} compares single actions: with "
                f"{'data.domain = math' if math else 'prompt.merge_steps'} take 'characters', 'tokens' or 'embedding'"
            )
        if math and self.reward.wrapper:
            raise ConfigError("reward.wrapper: steps of mathematics have no wrapper")

    def _check_rollouts(self) -> None:
        """What the engine of the rollouts can do."""
        rollout = self.rollout
        if rollout.engine == "decoder" and not self.tree.enabled:
            raise ConfigError("rollout.engine: 'decoder' needs tree.enabled = true")
        if rollout.engine == "vllm":
            check_vllm(
                rollout.vllm,
                temperature=rollout.temperature,
                top_p=rollout.top_p,
                lora_rank=self.model.lora.rank,
            )

    @property
    def episodes_have_turns(self) -> bool:
        """Whether an episode is a conversation; on mathematics it may be one reply."""
        return self.data.domain != "math" or (self.math.layout == "turns" and self.prompt.merge_steps != 0)

    def _check_episodes(self) -> None:
        """What the stages need of data and tasks."""
        alone = set(self.stages) == {"rlvr"} and (self.rlvr.start, self.rlvr.reward) == ("task", "outcome")
        if not self.data.train and not alone:
            raise ConfigError("data.train: name the logs to learn from (only rlvr from a task's beginning needs none)")
        if not self.data.train and not self.model.path:
            raise ConfigError("model.path: without data.train there is no text to make a tiny model of")
        if "rlvr" not in self.stages:
            return
        math = self.data.domain == "math"
        if not self.rlvr.tasks and not math:
            raise ConfigError("rlvr.tasks: name the tasks of the episodes, for example 'demo:train'")
        if self.prompt.history != "full":
            raise ConfigError("prompt.history: an episode's history only grows; the stage 'rlvr' needs 'full'")
        if self.prompt.merge_steps != 1 and not math:
            raise ConfigError("prompt.merge_steps: each reply of an episode is one action; the stage 'rlvr' needs 1")
        if math:
            self._check_math_episodes()

    def _check_math_episodes(self) -> None:
        """What episodes of mathematics can be compared with, and how they are asked."""
        expert = "rlvr.start = 'expert'" if self.rlvr.start == "expert" else ""
        expert = expert or ("rlvr.reward = 'similarity'" if self.rlvr.reward == "similarity" else "")
        if expert and not self.episodes_have_turns:
            raise ConfigError(
                f"{expert}: an episode takes the expert's steps only with math.layout = 'turns' and merged steps off"
            )
        if expert and self.rlvr.tasks:
            raise ConfigError(
                f"{expert}: problems of rlvr.tasks have no expert; leave it empty to use those of the data"
            )
        if self.math.next_title and self.episodes_have_turns:
            raise ConfigError("math.next_title: in an episode nobody knows the coming step's title; leave out 'rlvr'")

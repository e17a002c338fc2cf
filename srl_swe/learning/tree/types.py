"""A trajectory tree: one trunk of tokens, steps that cut it, and the replies (branches) that leave it.

Step k's prompt is `trunk[:prompt_end] + suffix`; its replies are branches. Every prompt of a trajectory being a
prefix of the trunk is what lets one forward serve them all; `nest` checks that on token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a prompt ends: `trunk[:prompt_end] + suffix` (suffix: tokens of this prompt only, often none)."""

    prompt_end: int
    suffix: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One reply to the prompt of `steps[step]`, as token ids.

    advantages: one advantage per token instead of `advantage`, for replies inside an episode that earn their own.
    sampler_logps: log-probability of each token under the policy that sampled it (the ratio's denominator), or None.
    trained: which tokens are loss targets; None means all. False marks observation tokens inside an episode.
    """

    step: int
    token_ids: tuple[int, ...]
    advantage: float = 0.0
    advantages: tuple[float, ...] | None = None
    sampler_logps: tuple[float, ...] | None = None
    trained: tuple[bool, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("advantages", "sampler_logps", "trained"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.token_ids):
                raise ValueError(f"Branch.{name} has {len(values)} entries for {len(self.token_ids)} token ids")

    @property
    def trained_offsets(self) -> tuple[int, ...]:
        """Positions in `token_ids` that are loss targets."""
        if self.trained is None:
            return tuple(range(len(self.token_ids)))
        return tuple(i for i, wanted in enumerate(self.trained) if wanted)

    def advantage_at(self, offset: int) -> float:
        """The advantage of the token at a position in `token_ids`."""
        return self.advantage if self.advantages is None else self.advantages[offset]

    @property
    def forwarded(self) -> int:
        """How many of its tokens a forward needs: all before the last loss target."""
        offsets = self.trained_offsets
        return offsets[-1] if offsets else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A trunk with its steps, branches, and spans of expert tokens `[begin, end)` that are SFT targets.

    A tree without branches is a set of prompts (what the decoder takes); a tree with spans alone is an SFT example.
    """

    trunk: tuple[int, ...]
    steps: tuple[Step, ...] = ()
    branches: tuple[Branch, ...] = ()
    expert_spans: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for step in self.steps:
            if not 0 <= step.prompt_end <= len(self.trunk) or step.prompt_end + len(step.suffix) == 0:
                raise ValueError(f"step ends at {step.prompt_end}, outside a trunk of {len(self.trunk)} tokens")
        for branch in self.branches:
            if not 0 <= branch.step < len(self.steps):
                raise ValueError(f"branch of step {branch.step}, but there are {len(self.steps)} steps")
        for begin, end in self.expert_spans:
            if not 1 <= begin <= end <= len(self.trunk):
                raise ValueError(f"expert span [{begin}, {end}) outside [1, {len(self.trunk)}]")

    def prompt(self, step: int) -> tuple[int, ...]:
        """Token ids of a step's prompt."""
        return self.trunk[: self.steps[step].prompt_end] + self.steps[step].suffix


def nest(prompts: Sequence[Sequence[int]], *, max_suffix_tokens: int = 32) -> Tree | None:
    """The tree of prompts that share one trunk, or None when they do not nest (then use `separate`).

    The trunk is the longest prompt; every other prompt must equal a prefix of it but for its last
    `max_suffix_tokens` tokens at most. The longest prompt's own suffix is part of the trunk.
    """
    trunk = max((tuple(prompt) for prompt in prompts), key=lambda ids: len(ids))
    steps = []
    for prompt in prompts:
        ids = tuple(prompt)
        shared = _common_prefix(trunk, ids)
        if len(ids) - shared > max_suffix_tokens or not ids:
            return None
        steps.append(Step(prompt_end=shared, suffix=ids[shared:]))
    return Tree(trunk=trunk, steps=tuple(steps))


def separate(prompts: Sequence[Sequence[int]]) -> tuple[Tree, ...]:
    """One tree per prompt: sharing within a group only, the fall-back when prompts do not nest."""
    return tuple(Tree(trunk=tuple(prompt), steps=(Step(prompt_end=len(prompt)),)) for prompt in prompts)


def _common_prefix(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    limit = min(len(first), len(second))
    if first[:limit] == second[:limit]:
        return limit
    return next(i for i in range(limit) if first[i] != second[i])

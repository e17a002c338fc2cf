"""Where replies come from, seen from the trainer: token ids in, token ids and log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeAlias

from ...conversations import ReplyScorer
from ..chat_tokens import ChatTokenizer, Trunk
from ..groups import Group, SampledReply
from ..tree.types import Step, Tree
from .sampling import DrawnReply

Request: TypeAlias = tuple[Trunk, tuple[int, ...]]
"""A trunk and which of its targets want replies."""


class ReplySampler(Protocol):
    """Samples replies of the current model."""

    forwards_model: ClassVar[bool]
    """Whether this process computes the replies with the model that it is given, rather than an engine with its own."""

    def sample(
        self, model: Any, requests: Sequence[Request], *, replies: int, seed: int, greedy: bool = False
    ) -> tuple[Group, ...]:
        """One group per requested target, in order, with `replies` replies and no rewards yet.

        Draws depend on the seed and on `step_key`, so not on which rank of how many samples the target.
        """
        ...


def step_key(trunk: Trunk, target: int) -> str:
    """A name for a target that is the same in every process."""
    return f"{trunk.conversation}#{trunk.targets[target].step}"


def prompt_tree(trunk: Trunk, targets: Sequence[int]) -> Tree:
    """The prompts of some targets as a tree without branches; the trunk ends with the longest prompt."""
    chosen = [trunk.targets[target] for target in targets]
    end = max(target.prompt_end for target in chosen)
    return Tree(
        trunk=trunk.token_ids[:end],
        steps=tuple(Step(prompt_end=target.prompt_end, suffix=target.suffix) for target in chosen),
    )


def sampled_reply(chat: ChatTokenizer, trunk: Trunk, token_ids: Sequence[int], logps: Sequence[float]) -> SampledReply:
    """A reply from its tokens: its text as the scorer reads it, and whether it ended by itself."""
    text, ended = chat.decode(token_ids)
    return SampledReply(token_ids=tuple(token_ids), logps=tuple(logps), text=trunk.reply_prefix + text, ended=ended)


def sampled_group(chat: ChatTokenizer, trunk: Trunk, target: int, drawn: Iterable[DrawnReply]) -> Group:
    """The group of replies to one target, without rewards yet."""
    replies = tuple(sampled_reply(chat, trunk, one.token_ids, one.logps) for one in drawn)
    return Group(trunk=trunk, target=target, replies=replies, rewards=())


def score_group(group: Group, scorer: ReplyScorer) -> Group:
    """The group with its rewards; replies that hit the token limit are malformed."""
    rewards = scorer.score(
        group.trunk.conversation,
        group.trunk.targets[group.target].step,
        [reply.text for reply in group.replies],
        truncated=[not reply.ended for reply in group.replies],
    )
    return replace(group, rewards=rewards)

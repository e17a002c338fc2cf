"""Rollouts: a policy's own way through a task in the live world, turn by turn.

The world is `SweEnv`, the words around its turns are a `PromptSet`; this module is the loop between them. What the
agent does wrong is part of the rollout; WorkspaceError and PolicyError leave it, because a rollout that the
infrastructure broke is no rollout.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from srl_swe_envs.actions import Action
from srl_swe_envs.dialects import split_reply
from srl_swe_envs.errors import MalformedReply, WorkspaceError
from srl_swe_envs.swe_env import SweEnv
from srl_swe_envs.trajectories import Observation, Turn, action_from_json, action_to_json

from .conversations import Message
from .policies.protocol import Completion, Policy, Sampling
from .prompts import PromptSet

StopReason: TypeAlias = Literal[
    "submitted", "turn_limit", "time_limit", "context_limit", "malformed_limit", "answered", "given"
]
"""`answered`: a protocol of one reply has its reply; `given`: the patch came from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeLimits:
    """When an episode ends without a submission."""

    max_turns: int = 50
    max_malformed: int = 5
    """This many unreadable replies in a row end the episode."""
    time_limit_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutTurn:
    """One reply and what came of it."""

    reply: str
    """The model's raw text."""
    thought: str = ""
    action: Action | None = None
    """None when the reply is malformed, or carries edits instead of an action."""
    malformed: str = ""
    """Why the reply could not be used: a code of `dialects.REASONS` or of the protocol."""
    observation: Observation | None = None
    reward: float | None = None
    """The reply's step reward where an expert's step stands beside it."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A policy's way through one task, and the patch it left."""

    task: str
    policy: str
    turns: tuple[RolloutTurn, ...]
    stop: StopReason
    patch: str
    duration_s: float

    @property
    def prompt_tokens(self) -> int:
        """Tokens read, over all turns."""
        return sum(turn.prompt_tokens for turn in self.turns)

    @property
    def completion_tokens(self) -> int:
        """Tokens written, over all turns."""
        return sum(turn.completion_tokens for turn in self.turns)

    @property
    def well_formed(self) -> int:
        """How many replies could be used."""
        return sum(not turn.malformed for turn in self.turns)

    def as_turns(self) -> tuple[Turn, ...]:
        """The turns that had an action, as the leak audit and the reward take them."""
        return tuple(
            Turn(thought=turn.thought, action=turn.action, observation=turn.observation)
            for turn in self.turns
            if turn.action is not None
        )


def run_episode(
    env: SweEnv,
    policy: Policy,
    prompts: PromptSet,
    *,
    limits: EpisodeLimits = EpisodeLimits(),
    sampling: Sampling = Sampling(),  # noqa: B008
    last_rounds: int | None = None,
    options: dict[str, Any] | None = None,
    said: Callable[[RolloutTurn], None] | None = None,
) -> Rollout:
    """Play one episode of a live or forked `SweEnv` to its end; `said` is called after each turn.

    The model sees the last `last_rounds` replies with what came back, or all (see `prompt.history` of a training run).
    `options` go to `env.reset`. Raises WorkspaceError and PolicyError when the infrastructure failed.
    """
    started = time.monotonic()
    env.reset(options=options if options is not None else {"index": 0})
    opening, rounds = prompts.opening(env.task), list[tuple[Message, Message]]()
    for past in env.turns:
        rounds.append((prompts.reply(past), prompts.observation(past.observation or Observation(text=""))))
    turns: list[RolloutTurn] = []
    stop: StopReason | None = None
    while stop is None:
        first = 0 if last_rounds is None else max(0, len(rounds) - last_rounds)
        messages = [*opening, *(message for pair in rounds[first:] for message in pair)]
        completion = policy.complete(messages, sampling, tools=prompts.tools)
        if completion.finish == "length" and not completion.completion_tokens:
            stop = "context_limit"
            break
        fresh, shown, stop = _round(env, completion, prompts, limits.max_turns - len(turns))
        turns += fresh
        rounds.append((Message(role="assistant", content=completion.text), shown))
        if said is not None:
            for turn in fresh:
                said(turn)
        stop = stop or _limit(turns, limits, time.monotonic() - started)
    return Rollout(
        task=env.task.id,
        policy=policy.name,
        turns=tuple(turns),
        stop=stop,
        patch=env.patch(),
        duration_s=time.monotonic() - started,
    )


def reply_turn(completion: Completion) -> RolloutTurn:
    """A turn that holds a reply and its token counts."""
    return RolloutTurn(
        reply=completion.text,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )


def _round(
    env: SweEnv, completion: Completion, prompts: PromptSet, most: int
) -> tuple[list[RolloutTurn], Message, StopReason | None]:
    """All actions of a reply, one step of the world each, up to the first that is malformed or ends the episode."""
    turns: list[RolloutTurn] = []
    shown: list[Message] = []
    stop: StopReason | None = None
    for part in _parts(completion, prompts)[:most]:
        turn, message, stop = _turn(env, part, prompts)
        turns.append(turn)
        shown.append(message)
        if stop is not None or turn.malformed:
            break
    return turns, Message(role=shown[0].role, content="\n\n".join(message.content for message in shown)), stop


def _parts(completion: Completion, prompts: PromptSet) -> tuple[Completion, ...]:
    """The reply as replies of one action each, where several are allowed; the first has its token counts."""
    if not prompts.several or completion.finish == "length":
        return (completion,)
    try:
        first, *others = split_reply(completion.text, prompts.dialect)
    except MalformedReply:
        return (completion,)
    rest = (replace(completion, text=text, prompt_tokens=0, completion_tokens=0) for text in others)
    return (replace(completion, text=first), *rest)


def _turn(env: SweEnv, completion: Completion, prompts: PromptSet) -> tuple[RolloutTurn, Message, StopReason | None]:
    """One step of the world: the turn, the message that answers it, and whether it ended the episode."""
    plain = reply_turn(completion)
    if completion.finish == "length":  # cut off: what is left may read like another action
        return replace(plain, malformed="truncated"), prompts.malformed("truncated"), None
    text, _, terminated, truncated, info = env.step(completion.text)
    if info["status"] == "infra":
        raise WorkspaceError(str(info.get("reason", "the workspace failed")))
    if info["status"] == "malformed":
        turn = replace(plain, malformed=info["reason"], reward=info.get("value"))
        return turn, prompts.malformed(info["reason"]), "turn_limit" if truncated else None
    seen = Observation(text=text, exit_code=info.get("exit_code"), elided_chars=info["elided_chars"])
    last = env.turns[-1]
    turn = replace(plain, thought=last.thought, action=last.action, observation=seen, reward=info.get("similarity"))
    stop: StopReason | None = "submitted" if terminated else "turn_limit" if truncated else None
    return turn, prompts.observation(seen), stop


def _limit(turns: list[RolloutTurn], limits: EpisodeLimits, passed_s: float) -> StopReason | None:
    recent = turns[-limits.max_malformed :]
    if len(recent) == limits.max_malformed and all(turn.malformed for turn in recent):
        return "malformed_limit"
    if len(turns) >= limits.max_turns:
        return "turn_limit"
    return "time_limit" if passed_s > limits.time_limit_s else None


def rollout_to_json(rollout: Rollout) -> dict[str, Any]:
    """The JSON object of a rollout (inverse of `rollout_from_json`)."""
    return {
        "task": rollout.task,
        "policy": rollout.policy,
        "stop": rollout.stop,
        "patch": rollout.patch,
        "duration_s": rollout.duration_s,
        "turns": [_turn_to_json(turn) for turn in rollout.turns],
    }


def rollout_from_json(record: dict[str, Any]) -> Rollout:
    """A rollout from its JSON object; raises KeyError, TypeError or ValueError when it does not fit."""
    return Rollout(
        task=record["task"],
        policy=record["policy"],
        turns=tuple(_turn_from_json(turn) for turn in record["turns"]),
        stop=record["stop"],
        patch=record["patch"],
        duration_s=record["duration_s"],
    )


def _turn_to_json(turn: RolloutTurn) -> dict[str, Any]:
    record: dict[str, Any] = {"reply": turn.reply}
    for name in ("thought", "malformed", "reward", "prompt_tokens", "completion_tokens"):
        if value := getattr(turn, name):
            record[name] = value
    if turn.action is not None:
        record["action"] = action_to_json(turn.action)
    if turn.observation is not None:
        record["observation"] = {
            "text": turn.observation.text,
            "exit_code": turn.observation.exit_code,
            "elided_chars": turn.observation.elided_chars,
        }
    return record


def _turn_from_json(record: dict[str, Any]) -> RolloutTurn:
    values = dict(record)
    if "action" in values:
        values["action"] = action_from_json(values["action"])
    if "observation" in values:
        values["observation"] = Observation(**values["observation"])
    return RolloutTurn(**values)

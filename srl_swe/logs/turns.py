"""Builds the turns of a trajectory from a log's replies and observations, and keeps the account of every record."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from srl_swe_envs.actions import Action, Submit
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Outcome, Trajectory, Turn, action_to_json

from .observations import unwrapped
from .reading import Origin, Reading

_TAGS = re.compile(r"</?(?:think|thinking|thoughts)>")


@dataclass(slots=True, eq=False)
class _Draft:
    reply: int
    thought: str
    action: Action
    call_id: str | None
    observation: Observation | None = None
    answer_is_record: bool = False
    """Whether the observation was a record of its own in the log."""


class TurnBuilder:
    """Collects one trajectory; every record of the log is given to exactly one of its methods."""

    def __init__(self) -> None:
        self.context: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._drafts: list[_Draft] = []
        self._replies = 0

    def note(self, what: str, count: int = 1) -> None:
        """A record that belongs to the conversation but is no turn: a system prompt, the task."""
        self.context[what] += count

    def drop(self, reason: str, count: int = 1) -> None:
        """A record that is left out."""
        self.dropped[reason] += count

    def reply(self, thought: str, actions: Iterable[tuple[Action, str | None]], *, continues: bool = False) -> None:
        """One reply of the agent with its actions, in order, each with the call's id where the log has one.

        `continues` says that these actions belong to the reply before, which the log has split.
        """
        self._replies += not continues
        for action, call_id in actions:
            self._drafts.append(_Draft(self._replies, plain_thought(thought), action, call_id))

    def observe(
        self,
        text: str,
        *,
        call_id: str | None = None,
        exit_code: int | None = None,
        elided_chars: int = 0,
        of_all: bool = False,
        own_record: bool = True,
    ) -> None:
        """What came back: for the call of that id, or else for the oldest unanswered action of the last reply.

        `of_all` says that it is the one answer to all actions of the last reply; it goes to the last of them.
        `own_record=False` says that it lies inside the reply's record, so that it is not counted.
        """
        draft = self._drafts[-1] if of_all and self._drafts else self._awaiting(call_id)
        if draft is None:
            self.drop("observation without an action", own_record)
            return
        draft.observation = Observation(text=unwrapped(text), exit_code=exit_code, elided_chars=elided_chars)
        draft.answer_is_record = own_record
        self.note("observation", own_record)

    def awaits_observation(self) -> bool:
        """Whether the last reply has an action that nothing has answered yet."""
        return self._awaiting(None) is not None

    def has_turns(self) -> bool:
        """Whether a reply with an action has been seen."""
        return bool(self._drafts)

    def has_submitted(self) -> bool:
        """Whether the last action is a submission that nothing has answered."""
        return bool(self._drafts) and isinstance(self._drafts[-1].action, Submit) and not self._drafts[-1].observation

    def finish(
        self,
        *,
        source: str,
        origin: Origin,
        task: Task,
        seen: int,
        trajectory_id: str = "",
        outcome: Outcome = "unknown",
        model: str = "",
    ) -> Reading:
        """The trajectory; without an id of its own it gets the task's id and a digest of its turns.

        All submissions but the last are dropped: harnesses that review on submit ask for it twice. A task without an
        id gets the source's name and a digest of its problem, so that runs of one task go together.
        """
        submits = [draft for draft in self._drafts if isinstance(draft.action, Submit)]
        self._take_out(submits[:-1], "duplicate submit")
        turns = tuple(self._turns())
        if not task.id:
            task = replace(task, id=f"{source}-{_digest_of(task.problem)}")
        trajectory = Trajectory(
            id=trajectory_id or f"{task.id}.{_digest(turns)}",
            task=task,
            turns=turns,
            source=source,
            outcome=outcome,
            model=model,
        )
        return Reading(
            trajectory=trajectory,
            origin=origin,
            seen=seen,
            context={name: count for name, count in self.context.items() if count},
            dropped={reason: count for reason, count in self.dropped.items() if count},
        )

    def _awaiting(self, call_id: str | None) -> _Draft | None:
        if call_id is not None:
            for draft in reversed(self._drafts):
                if draft.call_id == call_id and draft.observation is None:
                    return draft
        if not self._drafts:
            return None
        last = self._drafts[-1].reply
        waiting = (d for d in self._drafts if d.reply == last and d.observation is None)
        return next((d for d in waiting if call_id is None or d.call_id is None), None)

    def _take_out(self, drafts: Sequence[_Draft], reason: str) -> None:
        for draft in drafts:
            self._drafts.remove(draft)
            self.drop(reason)
            if draft.answer_is_record:
                self.context["observation"] -= 1
                self.drop(reason)

    def _turns(self) -> Iterable[Turn]:
        previous = 0
        for index, draft in enumerate(self._drafts):
            following = self._drafts[index + 1].reply if index + 1 < len(self._drafts) else 0
            yield Turn(
                thought=draft.thought if draft.reply != previous else "",
                action=draft.action,
                observation=draft.observation,
                parallel=draft.reply == following,
            )
            previous = draft.reply


def plain_thought(text: str) -> str:
    """A thought without the tags and labels that harnesses put around it, and without outer white space."""
    return _TAGS.sub("", text).strip().removeprefix("THOUGHT:").lstrip()


def joined_thought(*parts: str | None) -> str:
    """Hidden reasoning and visible text as one thought; a part that an earlier one contains is not repeated."""
    kept: list[str] = []
    for part in parts:
        text = plain_thought(part or "")
        if text and not any(text in earlier for earlier in kept):
            kept.append(text)
    return "\n\n".join(kept)


def _digest(turns: Sequence[Turn]) -> str:
    lines = [json.dumps([turn.thought, action_to_json(turn.action)], sort_keys=True) for turn in turns]
    return _digest_of("\n".join(lines))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]

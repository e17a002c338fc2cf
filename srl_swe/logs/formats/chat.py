"""Plain chats: rows with a list of messages, ShareGPT lists, harbor's SFT export, or a file that is one such list.

Calls are native tool calls, `<function=...>` blocks, `<tool_call>` JSON or one bash fence; the toolset is the one that
has a meaning for most of the calls. A chat without any action gives a trajectory without turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srl_swe_envs.actions import Action
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.recorded_toolsets import toolset_of
from srl_swe_envs.toolsets import ToolCall, Toolset

from ..conversation import Rules, TextReader, read_conversation
from ..messages import Message, count_records, message_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..replies import split_xml
from ..tasks_in_logs import first_user_text, task_of
from ..text_calls import with_text_calls
from ..turns import TurnBuilder
from .mini_v1 import REJECTION, read_fence
from .mini_v2 import submission
from .openhands_v0 import FAKE_USER

_KEYS = ("messages", "conversations", "conversation", "trajectory", "input", "prompt_and_completion")
_ROLES = {"human": "user", "gpt": "assistant", "ai": "assistant", "function_call": "assistant", "observation": "tool"}


def chat_messages(raw: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Messages of `role`/`content` or ShareGPT's `from`/`value` objects, text calls included."""
    return [with_text_calls(message_of(_common_keys(item))) for item in raw]


def chat_rules(messages: Sequence[Message], toolset: Toolset | None = None) -> Rules:
    """Rules for a conversation of unknown origin."""
    return Rules(
        toolset=toolset or toolset_of(_calls_in(messages)),
        read_text=_any_reader(toolset or toolset_of(_calls_in(messages))),
        to_action=submission,
        rejections=REJECTION,
        fake_user={"fake user turn": FAKE_USER},
    )


def read_chat(row: Mapping[str, Any], raw: Sequence[Mapping[str, Any]], origin: Origin, source: str) -> Reading:
    """One conversation, with the task fields that its row has beside it."""
    messages = chat_messages(raw)
    builder = TurnBuilder()
    read_conversation(messages, chat_rules(messages), builder)
    resolved = next((row[key] for key in ("resolved", "target", "verified") if row.get(key) is not None), None)
    if resolved is None and isinstance(row.get("result"), str):
        resolved = _reward(row["result"])
    return builder.finish(
        source=source,
        origin=origin,
        task=task_of(
            str(row.get("instance_id") or row.get("task_id") or row.get("task") or ""),
            first_user_text(messages),
            {name: row[name] for name in ("repo", "base_commit", "image_name", "docker_image") if name in row},
        ),
        seen=count_records(messages),
        trajectory_id=str(row.get("traj_id") or row.get("trajectory_id") or ""),
        outcome=outcome_of(resolved),
        model=next((row[key] for key in ("model", "model_name", "model_name_or_path") if _is_text(row.get(key))), ""),
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _reward(text: str) -> bool | None:
    try:
        return float(text) >= 1.0
    except ValueError:
        return None


def _common_keys(item: Mapping[str, Any]) -> dict[str, Any]:
    if "from" in item and "role" not in item:
        return {"role": _ROLES.get(item["from"], item["from"]), "content": item.get("value")}
    return {**item, "role": _ROLES.get(str(item.get("role")), item.get("role"))}


def _calls_in(messages: Iterable[Message]) -> Iterable[ToolCall]:
    for message in messages:
        for record in message.calls:
            if record.call is not None:
                yield record.call
        if not message.calls and message.role == "assistant" and "<function=" in message.text:
            try:
                yield _split_wrapped(message.text)[1]
            except MalformedReply:
                continue


def _split_wrapped(text: str) -> tuple[str, ToolCall]:
    """A `<function=...>` reply; a stop word may have cut off its last characters."""
    ending = text.rstrip()
    if "</function>" not in ending and "<function=" in ending:
        text = ending.removesuffix("</function") + "\n</function>"
    return split_xml(text, lambda name: True)


def _any_reader(toolset: Toolset) -> TextReader:
    def read(text: str) -> tuple[str, Action]:
        if "<function=" in text:
            thought, call = _split_wrapped(text)
            return thought, toolset.read_call(call)
        return read_fence(text)

    return read


def messages_in(row: Any) -> list[dict[str, Any]] | None:
    """The messages of a row, under whatever name; None if it has none."""
    if not isinstance(row, dict):
        return None
    for key in _KEYS:
        value = row.get(key)
        if isinstance(value, list) and value and all(map(_is_message, value[:4])):
            return value
    return None


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("role"), str):
        return bool({"content", "tool_calls", "text"} & value.keys())
    return isinstance(value.get("from"), str) and "value" in value


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_message, value[:4]))


def _is_later_episode(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Whether a row goes on where another ends; harbor exports one row for each episode of a trial."""
    if "episode" not in earlier or earlier.get("trial_name") != later.get("trial_name"):
        return False
    before, after = messages_in(earlier) or [], messages_in(later) or []
    return len(after) > len(before) and after[: len(before) - 1] == before[:-1]


CHAT = LogFormat(
    name="chat",
    matches=lambda row: messages_in(row) is not None,
    read=lambda row, origin: read_chat(row, messages_in(row) or (), origin, "chat"),
    supersedes=_is_later_episode,
)
CHAT_LIST = LogFormat(
    name="chat", matches=_is_conversation, read=lambda raw, origin: read_chat({}, raw, origin, "chat")
)
CHAT_FILE = LogFormat(
    name="chat", matches=_is_message, read=lambda raw, origin: read_chat({}, raw, origin, "chat"), parts="file"
)

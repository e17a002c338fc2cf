"""OpenHands `llm_completions`: one file per model call; the latest holds the whole conversation but its own reply.

V0 keeps `messages` and `response`; the SDK of V1 adds `latency_sec` and, without native tool calls, `raw_messages`.
Files of one folder whose first user message is the same are calls of one run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from ..conversation import read_conversation
from ..messages import count_records
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import first_user_text, task_of
from ..turns import TurnBuilder
from .chat import chat_messages, chat_rules


def _matches(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        return False
    return isinstance(value.get("response"), dict) and "timestamp" in value and ("cost" in value or "kwargs" in value)


def _conversation(value: dict[str, Any]) -> str:
    text = first_user_text(chat_messages(value["messages"][:4]))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(parts: Iterable[dict[str, Any]], origin: Origin) -> Reading:
    last: dict[str, Any] = {}
    calls = 0
    for part in parts:
        calls += 1
        if not last or part["timestamp"] >= last["timestamp"]:
            last = part
    raw = list(last["messages"])
    reply = ((last["response"].get("choices") or [{}])[0]).get("message")
    if isinstance(reply, dict) and reply.get("role"):
        raw.append(reply)
    messages = chat_messages(raw)
    builder = TurnBuilder()
    read_conversation(messages, chat_rules(messages), builder)
    builder.drop("earlier call of the same run", calls - 1)
    return builder.finish(
        source="openhands_v0_llm_completions" if "latency_sec" not in last else "openhands_v1_llm_completions",
        origin=origin,
        task=task_of(_instance_id(origin.path), first_user_text(messages)),
        seen=count_records(messages) + calls - 1,
        model=str(last["response"].get("model") or ""),
    )


def _instance_id(path: str) -> str:
    """The instance is only in the name of the file or of its folder."""
    for name in (PurePath(path).name, PurePath(path).parent.name):
        stem = name.split(".")[0]
        if "__" in stem and stem.rpartition("-")[2].isdigit() and not stem.startswith("llmlog"):
            return stem
    return ""


OPENHANDS_COMPLETIONS = LogFormat(
    name="openhands_llm_completions", matches=_matches, read=_read, parts="folder", conversation=_conversation
)

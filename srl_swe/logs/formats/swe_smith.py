"""SWE-smith training rows: `messages` (a list, or the JSON text of one), in three styles.

* `xml`: actions are `<function=...>` blocks in the text; only `old_str`, `new_str`, `file_text` are newline-wrapped;
* `tool`: SWE-agent's own messages with tool calls; * `ticks`: the shell rendering in a fenced block.

Upstream (`swesmith/train/traj_mgr/utils.py`) drops the last observation and rewrites a cost-limit exit into a
submission that the expert never made; that one is left out. The `patch` column belongs to other instances.
"""

from __future__ import annotations

import json
import re
from typing import Any

from srl_swe_envs.actions import Submit
from srl_swe_envs.toolsets import SWE_AGENT

from ..conversation import Rules, read_conversation
from ..messages import Message, count_records, message_of
from ..outcomes import outcome_of
from ..reading import LogFormat, Origin, Reading
from ..replies import read_ticks, split_xml, xml_reader
from ..tasks_in_logs import first_user_text, task_of
from ..turns import TurnBuilder

_FAKE_SUBMIT = "Since we have successfully fixed the issue and verified it works, it's time to submit the changes:"
_SMITH_ID = re.compile(r"__[\w.-]+\.[0-9a-f]{8}\.")
_XML = Rules(toolset=SWE_AGENT, read_text=xml_reader(SWE_AGENT))
_TOOL = Rules(toolset=SWE_AGENT)
_TICKS = Rules(toolset=SWE_AGENT, read_text=read_ticks)


def _matches(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list | str):
        return False
    if not isinstance(row.get("instance_id"), str) or "run_id" in row or "trajectory_format" in row:
        return False
    return "traj_id" in row or (bool(_SMITH_ID.search(row["instance_id"])) and _has_smith_replies(row["messages"]))


def _has_smith_replies(messages: list[Any] | str) -> bool:
    """Whether the first reply is written as SWE-smith does; rows without `traj_id` may come from elsewhere."""
    raw = json.loads(messages) if isinstance(messages, str) else messages
    first = next((message_of(item) for item in raw if isinstance(item, dict) and item.get("role") == "assistant"), None)
    return first is not None and ("<function=" in first.text or bool(first.calls))


def _read(row: dict[str, Any], origin: Origin) -> Reading:
    raw = json.loads(row["messages"]) if isinstance(row["messages"], str) else row["messages"]
    messages = [message_of(item) for item in raw]
    style, rules = _style(messages)
    builder = TurnBuilder()
    fake = sum(_is_fake_submit(message) for message in messages)
    read_conversation([message for message in messages if not _is_fake_submit(message)], rules, builder)
    if fake:
        builder.drop("fake submit", fake)
    return builder.finish(
        source=f"swe_smith_{style}",
        origin=origin,
        task=task_of(row["instance_id"], first_user_text(messages)),
        seen=count_records(messages),
        trajectory_id=row.get("traj_id") or "",
        outcome=outcome_of(row.get("resolved")),
        model=row.get("model") or "",
    )


def _style(messages: list[Message]) -> tuple[str, Rules]:
    replies = [message for message in messages if message.role == "assistant"]
    if any(message.calls for message in replies):
        return "tool", _TOOL
    if any("<function=" in message.text for message in replies):
        return "xml", _XML
    return "ticks", _TICKS


def _is_fake_submit(message: Message) -> bool:
    if message.role != "assistant" or not message.text.strip().startswith(_FAKE_SUBMIT):
        return False
    _, call = split_xml(message.text)
    return isinstance(SWE_AGENT.read_call(call), Submit)


SWE_SMITH = LogFormat(name="swe_smith", matches=_matches, read=_read)

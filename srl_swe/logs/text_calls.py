"""Gives replies whose calls are written in their text the calls they make, so that they read like native tool calls.

Three ways of writing are known: `<tool_call>{JSON}</tool_call>` (Hermes-style templates), Terminus' JSON object with
`commands`, and everything else, which is left alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from .messages import CallRecord, Message, tool_call

_TAGGED = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def with_text_calls(message: Message) -> Message:
    """The message with the calls of its text; as it is when it has native calls or none in its text."""
    if message.calls or message.role not in ("assistant", "ai", "model", "gpt"):
        return message
    if "<tool_call>" in message.text:
        return _tagged(message)
    if ('"commands"' in message.text and '"keystrokes"' in message.text) or '"task_complete"' in message.text:
        return _terminus(message)
    return message


def _tagged(message: Message) -> Message:
    calls = []
    for match in _TAGGED.finditer(message.text):
        try:
            record = json.loads(match[1])
            calls.append(CallRecord(call=tool_call(record["name"], record.get("arguments"))))
        except (ValueError, KeyError, TypeError):
            calls.append(CallRecord(call=None))
    if not calls:
        return message
    return replace(message, text=message.text.partition("<tool_call>")[0], calls=tuple(calls))


def _terminus(message: Message) -> Message:
    """Terminus 2: `{"analysis", "plan", "commands": [{"keystrokes", "duration"}], "task_complete"}`."""
    match = _OBJECT.search(message.text)
    try:
        record: Any = json.loads(match[0]) if match else None
    except ValueError:
        return message
    if not isinstance(record, dict) or not {"analysis", "plan", "commands"} <= record.keys():
        return message
    calls = [
        CallRecord(call=tool_call("bash_command", command))
        for command in record["commands"]
        if isinstance(command, dict) and "keystrokes" in command
    ]
    if record.get("task_complete") is True:
        calls.append(CallRecord(call=tool_call("mark_task_complete", {})))
    thought = f"{record['analysis']}\n\n{record['plan']}"
    return replace(message, text=thought, calls=tuple(calls)) if calls else message

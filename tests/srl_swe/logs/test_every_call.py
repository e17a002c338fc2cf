"""Every recorded tool call is exactly one action, and the action gives the call back."""

import gzip
import json
from contextlib import suppress

import pytest

from srl_swe.logs.messages import tool_call
from srl_swe.logs.replies import command_action, split_xml
from srl_swe_envs.actions import OtherCall, Replace, Shell, Submit
from srl_swe_envs.dialects.fence import FENCE, command_to_action
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.recorded_toolsets import CODEX, OPENHANDS, RECORDED, TERMINUS, toolset_of
from srl_swe_envs.toolsets import ToolCall


def values_in(path):
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def calls_in(value):
    """Every call that a JSON value holds, whatever the format around it."""
    if isinstance(value, dict):
        if (call := call_of_object(value)) is not None:
            yield call
        for key, item in value.items():
            yield from calls_in_text(item) if key in ("content", "action", "text") else calls_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from calls_in(item)


def call_of_object(value):
    function = value.get("function")
    if isinstance(function, dict) and "arguments" in function:
        return tool_call(function["name"], function["arguments"])
    if value.get("type") == "function_call" and "name" in value:
        return tool_call(value["name"], value.get("arguments"))
    if value.get("type") == "tool_use" and {"name", "input"} <= value.keys():
        return tool_call(value["name"], value["input"])
    if {"function_name", "arguments"} <= value.keys():
        return tool_call(value["function_name"], value["arguments"])
    return None


def calls_in_text(value):
    if not isinstance(value, str):
        yield from calls_in(value)
    elif "<function=" in value:
        with suppress(MalformedReply):
            yield split_xml(value)[1]


def essential(call, toolset):
    """The call without what its toolset documents as ignored: noise arguments, defaults spelled out, nulls."""
    arguments = {name: value for name, value in call.arguments.items() if value is not None}
    action = toolset.read_call(call)
    if isinstance(action, OtherCall):
        return call.name, arguments
    spelling = next(spelling for spelling in toolset.spellings if spelling.matches(call))
    for name in [*spelling.ignored, *spelling.defaults]:
        arguments.pop(name, None)
    if isinstance(action, Replace):
        arguments.setdefault(next(arg for arg, field in spelling.fields.items() if field == "new"), "")
    for name, field in spelling.fields.items():
        if field in ("lines", "after_line") and isinstance(arguments.get(name), str):
            arguments[name] = json.loads(arguments[name])  # XML carries numbers as text
        if field == "message" and arguments.get(name) == "":
            del arguments[name]
    return call.name, arguments


def test_every_call_of_the_real_logs_comes_back_from_its_action(shared_data):
    seen = 0
    for path in sorted(shared_data.rglob("*.*")):
        if path.parent.name.startswith(("swebench", "math", "task_rows")) or path.suffix in (".md", ".yaml"):
            continue
        calls = {json.dumps([call.name, dict(call.arguments)]): call for call in calls_in(values_in(path))}
        if not calls:
            continue
        own = toolset_of(calls.values())
        for toolset in {own.name: own, "openhands": OPENHANDS}.values():
            for call in calls.values():
                written = toolset.to_call(toolset.read_call(call))
                assert (written.name, dict(written.arguments)) == essential(call, toolset), f"{path}: {call}"
        seen += len(calls)
    assert seen > 1500


def test_every_action_of_every_toolset_comes_back_from_its_call():
    for toolset in RECORDED:
        for spelling in toolset.spellings:
            values = {"lines": (3, -1), "after_line": 7}
            action = spelling.kind(**{field: values.get(field, f"some {field}") for field in spelling.fields.values()})
            assert toolset.read_call(toolset.to_call(action)) == action, toolset.name


def test_an_unknown_tool_or_argument_loses_nothing():
    for arguments in ({"command": "ls", "is_input": "true"}, {"command": "ls", "mystery": [1, {"a": None}]}):
        call = ToolCall(name="execute_bash", arguments=arguments)
        action = OPENHANDS.read_call(call)
        assert action == OtherCall(tool="execute_bash", arguments=arguments)
        assert OPENHANDS.to_call(action) == call


@pytest.mark.parametrize("given", ["false", "False", False])
def test_a_default_that_is_spelled_out_changes_nothing(given):
    call = ToolCall(name="execute_bash", arguments={"command": "ls", "is_input": given})
    assert OPENHANDS.read_call(call) == Shell(command="ls")


def test_commands_in_other_forms_are_commands():
    assert CODEX.read_call(ToolCall(name="shell", arguments={"command": ["bash", "-lc", "ls"]})) == Shell(command="ls")
    plain = ToolCall(name="shell", arguments={"command": ["ls", "-a"]})
    assert CODEX.read_call(plain) == OtherCall(tool="shell", arguments={"command": ["ls", "-a"]})
    typed = ToolCall(name="bash_command", arguments={"keystrokes": "ls\n", "duration": 0.1})
    assert TERMINUS.read_call(typed) == Shell(command="ls")


def test_mini_swe_agents_submission_comes_back_from_the_fence_dialect():
    for command in ("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && cat patch.txt", "ls -la"):
        action = command_to_action(command)
        assert isinstance(action, Submit) == command.startswith("echo COMPLETE")
        assert f"\n{command}\n" in FENCE.render_action(action)


def test_a_rendered_editor_call_is_read_back_through_its_shell_quoting():
    text = "str_replace_editor str_replace /x --old_str 'it'\"'\"'s\n  a' --new_str ''"
    assert command_action(text) == Replace(path="/x", old="it's\n  a", new="")
    broken = "str_replace_editor view '/x"
    assert command_action(broken) == OtherCall(tool="str_replace_editor", arguments={"text": "view '/x"})
    assert command_action("submit\n") == Submit()

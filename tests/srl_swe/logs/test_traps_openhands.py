"""Traps 7-10 and 13: OpenHands in its five shapes."""

import json

from srl_swe.logs import Reading, scan_logs
from srl_swe_envs.actions import Create, OtherCall, Shell, Submit, View

PROMPT = (
    "<uploaded_files>\n/workspace/acme__calc__1.0\n</uploaded_files>\n"
    "<issue_description>\nadd() subtracts\n</issue_description>"
)
GO_ON = "Please continue working on the task on whatever approach you think is suitable.\nIf done, finish."


def openai_call(call_id, name, **arguments):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def metadata(call_id, *calls, said="", response="r1"):
    message = {"role": "assistant", "content": said, "tool_calls": list(calls)}
    return {
        "function_name": calls[0]["function"]["name"],
        "tool_call_id": call_id,
        "model_response": {"id": response, "model": "expert-1", "choices": [{"message": message}]},
        "total_calls_in_response": len(calls),
    }


def action(number, kind, meta, **args):
    return {"id": number, "source": "agent", "action": kind, "args": args, "tool_call_metadata": meta}


def observation(number, kind, content, cause=None, meta=None, **extras):
    event = {"id": number, "source": "agent", "observation": kind, "content": content, "extras": extras}
    return event | ({"cause": cause} if cause is not None else {}) | ({"tool_call_metadata": meta} if meta else {})


OPENING = [
    {"id": 0, "source": "agent", "action": "system", "args": {"content": "You are OpenHands"}},
    {"id": 1, "source": "user", "action": "message", "args": {"content": PROMPT}},
    {"id": 2, "source": "user", "action": "recall", "args": {"query": "x"}},
    {"id": 4, "source": "environment", "cause": 2, "observation": "recall", "content": "added", "extras": {}},
]


def v0(*events, **more):
    instance = {"repo": "acme/calc", "base_commit": "1" * 40, "problem_statement": "add() subtracts"}
    return {"instance_id": "acme__calc-7", "history": [*OPENING, *events], "instance": instance} | more


def test_trap_7_observations_are_paired_by_cause_and_parallel_calls_share_a_response(read):
    ls, view = (
        openai_call("a", "execute_bash", command="ls"),
        openai_call("b", "str_replace_editor", command="view", path="/x"),
    )
    both = {call: metadata(call, ls, view, said="look") for call in ("a", "b")}
    reading = read(
        v0(
            action(5, "run", both["a"], command="ls", thought="look"),
            action(6, "read", both["b"], path="/x", start=0, end=-1, thought="look"),
            observation(9, "read", "1\tdef add", cause=6),
            observation(10, "run", "calc.py", cause=5, metadata={"exit_code": 0}),
            {"id": 12, "source": "user", "action": "message", "args": {"content": GO_ON}},
            action(13, "finish", metadata("c", openai_call("c", "finish", message="fixed"), response="r2")),
        )
    )
    first, second, last = reading.trajectory.turns
    assert (first.action, first.observation.text, first.observation.exit_code) == (Shell(command="ls"), "calc.py", 0)
    assert (second.action, second.observation.text) == (View(path="/x"), "1\tdef add")
    assert [turn.thought for turn in (first, second)] == ["look", ""]
    assert [turn.parallel for turn in (first, second, last)] == [True, False, False]
    assert last.action == Submit(message="fixed")
    assert reading.dropped == {"fake user turn": 1}
    assert reading.context == {"system prompt": 1, "task": 1, "recalled context": 2, "observation": 2}


def test_trap_7_an_error_without_a_cause_is_recovered_where_the_log_has_its_call(read):
    bad = openai_call("a", "str_replace_editor", command="delete", path="/x")
    reading = read(
        v0(
            observation(5, "error", "no such command", meta=metadata("a", bad, said="hm")),
            observation(6, "error", "Parameter 'command' is expected"),
        )
    )
    (turn,) = reading.trajectory.turns
    assert turn.action == OtherCall(tool="str_replace_editor", arguments={"command": "delete", "path": "/x"})
    assert (turn.thought, turn.observation.text) == ("hm", "no such command")
    assert reading.dropped == {"error without an action": 1}


def test_trap_7_events_without_metadata_are_read_by_what_they_say(read):
    events = [
        {"action": "message", "content": "Fix it", "action_risk": None},
        {"action": "run", "command": "touch LICENSE", "thought": "make it", "keep_prompt": True, "action_risk": None},
        {"observation": "run", "content": "ok", "command": "touch LICENSE", "exit_code": 0, "extras": {}},
        {"action": "run_ipython", "code": "print(1)", "thought": "", "action_risk": None},
        {"action": "finish", "outputs": {}, "thought": "done"},
    ]
    issue = {"owner": "acme", "repo": "calc", "number": 7}
    trajectory = read({"issue": issue, "history": events, "success": True}).trajectory
    assert [turn.action for turn in trajectory.turns] == [
        Shell(command="touch LICENSE"),
        OtherCall(tool="execute_ipython_cell", arguments={"code": "print(1)"}),
        Submit(),
    ]
    assert trajectory.task.id == "acme__calc-7"
    assert trajectory.outcome == "unknown"  # `success` is a model's opinion


def test_trap_7_a_bare_list_of_events_is_one_trajectory(read):
    ls = openai_call("a", "execute_bash", command="ls")
    trajectory = read([*OPENING, action(5, "run", metadata("a", ls), command="ls")]).trajectory
    assert (trajectory.source, len(trajectory.turns), trajectory.model) == ("openhands_v0", 1, "expert-1")


def completion(timestamp, *messages, reply):
    return {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": PROMPT}, *messages],
        "response": {"model": "expert-1", "choices": [{"message": reply}]},
        "kwargs": {"tools": []},
        "timestamp": timestamp,
        "cost": 0.1,
    }


def test_trap_8_the_latest_completion_and_its_reply_are_the_whole_run(tmp_path):
    look = {"role": "assistant", "tool_calls": [openai_call("a", "execute_bash", command="ls")]}  # no content at all
    seen = {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "calc.py"}]}
    talk = {"role": "assistant", "content": "I think"}
    done = {"role": "assistant", "content": "", "tool_calls": [openai_call("b", "finish")]}
    go_on = {"role": "user", "content": GO_ON}
    (tmp_path / "z-first.json").write_text(json.dumps(completion(1.0, reply=look)))
    (tmp_path / "a-last.json").write_text(json.dumps(completion(3.0, look, seen, talk, go_on, reply=done)))
    (tmp_path / "m-mid.json").write_text(json.dumps(completion(2.0, look, seen, reply=talk)))
    (reading,) = scan_logs([tmp_path])
    assert isinstance(reading, Reading)
    assert [turn.action for turn in reading.trajectory.turns] == [Shell(command="ls"), Submit()]
    assert reading.trajectory.turns[0].observation.text == "calc.py"
    assert reading.dropped == {
        "reply without an action": 1,
        "fake user turn": 1,
        "earlier call of the same run": 2,
    }
    assert reading.unexplained == 0


def sdk_event(number, kind, source="agent", **fields):
    return {"id": f"e{number}", "timestamp": f"2025-01-01T00:00:{number:02}", "source": source, "kind": kind} | fields


def sdk_action(number, response, call, *, said=()):
    return sdk_event(
        number,
        "ActionEvent",
        thought=[{"type": "text", "text": text} for text in said],
        tool_name=call["function"]["name"],
        tool_call_id=call["id"],
        tool_call=call,
        llm_response_id=response,
        action={"kind": "ExecuteBashAction"},
    )


def sdk_answer(number, call_id, text, **more):
    return sdk_event(
        number,
        "ObservationEvent",
        "environment",
        tool_call_id=call_id,
        observation={"kind": "X", "output": text} | more,
    )


def test_trap_9_parallel_calls_share_a_response_and_a_condensation_loses_nothing(tmp_path):
    events = [
        sdk_event(0, "SystemPromptEvent", system_prompt={"text": "s"}, tools=[]),
        sdk_event(1, "MessageEvent", "user", llm_message={"role": "user", "content": [{"text": PROMPT}]}),
        sdk_action(2, "r1", openai_call("a", "execute_bash", command="ls", security_risk="LOW"), said=["look"]),
        sdk_action(3, "r1", openai_call("b", "execute_bash", command="pwd", security_risk="LOW")),
        sdk_answer(4, "b", "/x", metadata={"exit_code": 0}),
        sdk_answer(5, "a", "calc.py", metadata={"exit_code": 0}),
        sdk_event(6, "Condensation", "environment", forgotten_event_ids=["e2"], summary="it looked"),
        sdk_action(7, "r2", openai_call("c", "finish", message="done"), said=["done"]),
    ]
    folder = tmp_path / "conversation" / "events"
    folder.mkdir(parents=True)
    for number, event in enumerate(events):
        (folder / f"event-{len(events) - number:05}.json").write_text(json.dumps(event))
    (reading,) = scan_logs([tmp_path])
    assert [turn.action for turn in reading.trajectory.turns] == [
        Shell(command="ls"),
        Shell(command="pwd"),
        Submit(message="done"),
    ]
    assert [turn.parallel for turn in reading.trajectory.turns] == [True, False, False]
    assert [turn.thought for turn in reading.trajectory.turns] == ["look", "", "done"]
    assert reading.trajectory.turns[1].observation.text == "/x"
    assert reading.context["context summary"] == 1
    assert reading.unexplained == 0
    assert (reading.trajectory.outcome, reading.trajectory.task.repo) == ("unknown", "acme/calc")


def test_trap_9_events_gathered_in_one_file_are_read_too(read):
    call = openai_call("a", "execute_bash", command="ls")
    reading = read(sdk_event(0, "PauseEvent"), sdk_action(1, "r", call), sdk_answer(2, "a", "x"), jsonl=True)
    assert reading.trajectory.turns[0].observation.text == "x"


def padded(role, content, calls=None, call_id=None):
    return {
        "role": role,
        "content": content,
        "function_call": None,
        "name": None,
        "tool_call_id": call_id,
        "tool_calls": calls,
    }


def test_trap_10_null_padded_rows_with_several_calls_and_a_running_number(read):
    first = [
        openai_call("a", "execute_bash", command="ls", path=None, file_text=None),
        openai_call("b", "str_replace_editor", command="create", path="/x", file_text="1\n", old_str=None),
    ]
    row = {
        "instance_id": "acme__calc-7_3",
        "run_id": "expert-1_maxiter_30_N_v2",
        "resolved": True,
        "messages": [
            padded("system", "s"),
            padded("user", PROMPT),
            padded("assistant", None, first),
            padded("tool", "calc.py", call_id="a"),
            padded("tool", "created", call_id="b"),
            padded("assistant", "I think I am done"),
            padded("user", GO_ON),
        ],
        "tools": [{"function": {"name": "finish", "parameters": None}}],
    }
    reading = read(row)
    trajectory = reading.trajectory
    assert [turn.action for turn in trajectory.turns] == [Shell(command="ls"), Create(path="/x", text="1\n")]
    assert [turn.parallel for turn in trajectory.turns] == [True, False]
    assert (trajectory.task.id, trajectory.task.repo, trajectory.outcome) == ("acme__calc-7", "acme/calc", "resolved")
    assert trajectory.model == "expert-1"
    assert reading.dropped == {"reply without an action": 1, "fake user turn": 1}
    assert reading.seen == 8


EXAMPLE = (
    "Here's a running example of how to perform a task with the provided tools.\n\n"
    "--------------------- START OF EXAMPLE ---------------------\nUSER: Create a web app\nASSISTANT: sure\n"
    "<function=execute_bash>\n<parameter=command>\nls\n</parameter>\n</function>\n"
    "--------------------- END OF EXAMPLE ---------------------\n\n"
    "--------------------- NEW TASK DESCRIPTION ---------------------\nadd() subtracts\n"
    "--------------------- END OF NEW TASK DESCRIPTION ---------------------\n\nPLEASE follow the format strictly!"
)


def test_trap_13_the_example_inside_the_first_message_is_neither_task_nor_turn(read):
    messages = [
        {"role": "system", "content": "functions ..."},
        {"role": "user", "content": EXAMPLE},
        {
            "role": "assistant",
            "content": "look\n<function=execute_bash>\n<parameter=command>\nls -a\n</parameter>\n</function",
        },
        {"role": "user", "content": "EXECUTION RESULT of [execute_bash]:\ncalc.py"},
    ]
    trajectory = read({"messages": messages}).trajectory
    assert trajectory.task.problem == "add() subtracts"
    (turn,) = trajectory.turns
    assert turn.action == Shell(command="ls -a")
    assert turn.observation.text == "calc.py"


def test_real_openhands_logs_of_all_shapes_add_up(shared_data):
    folders = ("openhands_v0", "openhands_v0_llm_completions", "openhands_v1", "swe_gym_openhands")
    readings = [e for e in scan_logs([shared_data / name for name in folders]) if isinstance(e, Reading)]
    assert all(reading.unexplained == 0 for reading in readings)
    counts = {}
    for reading in readings:
        counts[reading.trajectory.source] = counts.get(reading.trajectory.source, 0) + 1
    assert counts["openhands_v0_llm_completions"] == 9
    assert counts["openhands_v1"] == 3
    assert counts["swe_gym_openhands"] == 29
    gym = [r for r in readings if r.trajectory.source == "swe_gym_openhands"]
    assert sum(any(turn.parallel for turn in r.trajectory.turns) for r in gym) > 5
    assert sum(r.dropped.get("fake user turn", 0) for r in gym) > 50

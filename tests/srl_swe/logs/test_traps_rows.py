"""Traps 11, 12, 14, 15 and 16: data-set rows, rollouts, sessions."""

import json

from srl_swe.logs import Reading, scan_logs
from srl_swe.logs.tasks_in_logs import listed_tests, task_of
from srl_swe_envs.actions import OtherCall, Replace, Shell, Submit, View

ISSUE_06 = "We're currently solving the following issue.\nISSUE:\nadd() subtracts\n\n\nINSTRUCTIONS:\nNow go."


def test_trap_11_nebius_roles_fences_and_target(read):
    def item(role, text, system=None):
        return {"role": role, "text": text, "system_prompt": system, "mask": role == "ai", "cutoff_date": None}

    row = {
        "instance_id": "acme__calc-7_17",
        "model_name": "expert-1",
        "target": True,
        "trajectory": [
            item("system", None, "SETTING: a shell"),
            item("user", ISSUE_06),
            item("ai", 'I look.\n\n```\nsearch_dir "add" src\n```\n'),
            item("user", "found"),
            item("ai", "```\npython -m pytest\n```"),
            item("user", "1 failed"),
            item("ai", "Done.\n```\nsubmit\n```"),
        ],
        "exit_status": "submitted",
    }
    trajectory = read(row).trajectory
    assert [turn.action for turn in trajectory.turns] == [
        OtherCall(tool="search_dir", arguments={"text": '"add" src'}),
        Shell(command="python -m pytest"),
        Submit(),
    ]
    assert (trajectory.source, trajectory.outcome, trajectory.model) == ("nebius", "resolved", "expert-1")
    assert (trajectory.task.id, trajectory.task.problem) == ("acme__calc-7", "add() subtracts")
    assert trajectory.turns[0].thought == "I look."
    assert read({**row, "target": False}).trajectory.outcome == "unresolved"


def test_trap_12_r2e_steps_have_their_think_tags_removed_and_their_indented_parameters_read(read):
    call = (
        "<function=str_replace_editor>\n  <parameter=command>str_replace</parameter>\n"
        "  <parameter=path>/x</parameter>\n"
        "  <parameter=old_str>  a</parameter>\n  <parameter=new_str>  b</parameter>\n</function>"
    )
    suffix = "\nThis is step 0 of a maximum of 100. Steps Remaining: 100."
    steps = [
        {"thought": "<think>Hm.</think>\n\nI mend it.", "action": call, "observation": "edited" + suffix},
        {"thought": "<think>And?", "action": "", "observation": ""},
        {"thought": "", "action": "<function=submit>\n</function>", "observation": "<<< Finished >>>"},
    ]
    row = {
        "trajectory_steps": steps,
        "problem_statement": "add() subtracts",
        "docker_image": "registry/acme_1776_calc-7",
        "ds": {"instance_id": "acme__calc-7", "repo": "acme/calc", "FAIL_TO_PASS": ["t::a"], "base_commit": "2" * 40},
        "reward": 1.0,
        "agent_args": {"llm_name": "expert-1"},
    }
    reading = read(row)
    first, last = reading.trajectory.turns
    assert first.action == Replace(path="/x", old="  a", new="  b")
    assert first.thought == "Hm.\n\nI mend it."
    assert first.observation.text == "edited" + suffix  # what the agent saw
    assert last.action == Submit()
    assert (reading.trajectory.outcome, reading.trajectory.task.fail_to_pass) == ("resolved", ("t::a",))
    assert (reading.seen, reading.dropped) == (3, {"reply without an action": 1})
    assert read({**row, "reward": 0.0}).trajectory.outcome == "unresolved"


def item(kind, **fields):
    return {"type": kind} | fields


def said(text):
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}])


def function_call(call_id, name, **arguments):
    return item("function_call", name=name, call_id=call_id, arguments=json.dumps(arguments))


def rollout(*items, **more):
    metadata = {"instance_id": "acme__calc-7", "instance_dict": json.dumps({"repo": "acme/calc"})}
    request = {"input": [], "metadata": metadata | {"problem_statement": "add() subtracts"}, "model": "expert-1"}
    return {"responses_create_params": request, "response": {"output": list(items)}} | more


def test_trap_14_consecutive_calls_are_parallel_and_may_lack_an_output(read):
    reading = read(
        rollout(
            said("look"),
            function_call("a", "Bash", command="ls"),
            function_call("b", "Read", file_path="/x"),
            item("function_call_output", call_id="b", output="1\tx"),
            said("mend"),
            function_call("c", "Edit", file_path="/x", old_string="a", new_string="b", replace_all=False),
            item("function_call_output", call_id="c", output="ok"),
            said("All done."),
            resolved=True,
        )
    )
    turns = reading.trajectory.turns
    assert [turn.action for turn in turns] == [
        Shell(command="ls"),
        View(path="/x"),
        Replace(path="/x", old="a", new="b"),
    ]
    assert [turn.parallel for turn in turns] == [True, False, False]
    assert [turn.thought for turn in turns] == ["look", "", "mend"]
    assert turns[0].observation is None
    assert turns[1].observation.text == "1\tx"
    assert reading.dropped == {"reply without an action": 1}
    assert reading.trajectory.outcome == "resolved"


def test_trap_14_reward_tells_the_outcome_where_no_flag_does(read):
    call = function_call("a", "bash", command="ls")
    assert read(rollout(call, reward=1.0)).trajectory.outcome == "resolved"
    assert read(rollout(call, reward=0.0)).trajectory.outcome == "unresolved"
    assert read(rollout(call)).trajectory.outcome == "unknown"


def agent_step(number, message, *calls, results=(), **more):
    tool_calls = [{"tool_call_id": i, "function_name": name, "arguments": args} for i, name, args in calls]
    observation = {"results": [{"source_call_id": i, "content": text} for i, text in results]}
    step = {"step_id": number, "source": "agent", "message": message, "observation": observation}
    return step | ({"tool_calls": tool_calls} if tool_calls else {}) | more


def atif(*steps):
    agent = {"name": "terminus-2", "version": "2", "model_name": "expert-1"}
    return {"schema_version": "ATIF-v1.5", "session_id": "s", "agent": agent, "steps": list(steps)}


def test_trap_14_atif_arguments_are_objects_and_one_output_answers_a_whole_turn(read):
    keys = [("a", "bash_command", {"keystrokes": "ls\n", "duration": 1}), ("b", "bash_command", {"keystrokes": "C-c"})]
    rejected = "Previous response had parsing errors:\nERROR: Missing required fields: analysis"
    reading = read(
        atif(
            {"step_id": 1, "source": "user", "message": "add() subtracts"},
            agent_step(2, "old", ("z", "bash_command", {"keystrokes": "pwd\n"}), is_copied_context=True),
            agent_step(3, "{broken", results=[(None, rejected)]),
            agent_step(4, "look", *keys, results=[(None, "New Terminal Output:\ncalc.py")], reasoning_content="Hm."),
            {"step_id": 5, "source": "system", "message": "Performed context summarization"},
            agent_step(6, "done", ("c", "mark_task_complete", {})),
        )
    )
    first, second, last = reading.trajectory.turns
    assert first.action == Shell(command="ls")
    assert second.action == OtherCall(tool="bash_command", arguments={"keystrokes": "C-c"})
    assert last.action == Submit()
    assert first.thought == "Hm.\n\nlook"
    assert first.observation is None
    assert second.observation.text == "New Terminal Output:\ncalc.py"
    assert reading.dropped == {"copied context": 1, "format-error retry": 1, "context summary": 1}
    assert reading.trajectory.outcome == "unknown"


def line(kind, uuid, parent, content, **more):
    message = {"role": kind, "content": content}
    if "mid" in more:
        message["id"] = more.pop("mid")
    return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "message": message} | more


def use(call_id, name, **arguments):
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id, text):
    return {"type": "tool_result", "tool_use_id": call_id, "content": text}


def test_trap_15_claude_code_lines_of_one_response_are_one_reply_and_rewinds_are_left(read):
    reading = read(
        {"type": "summary", "summary": "a session", "leafUuid": "x"},
        line("user", "u0", None, "<system-reminder>be good</system-reminder>"),
        line("user", "u1", "u0", "add() subtracts"),
        line("assistant", "a0", "u1", [use("z", "Bash", command="rm -r x")], mid="m0"),  # rewound
        line("user", "u2", "a0", [result("z", "gone")]),
        line("assistant", "a1", "u1", [{"type": "thinking", "thinking": "Hm."}], mid="m1"),
        line("assistant", "a2", "a1", [{"type": "text", "text": "look"}, use("a", "Bash", command="ls")], mid="m1"),
        line("assistant", "a3", "a2", [use("b", "Read", file_path="/x")], mid="m1"),
        line("user", "u3", "a2", [result("a", "Exit code 2\nls: no")]),
        line("user", "u4", "a3", [result("b", "1\tx")]),
        line("assistant", "s1", "a3", [use("q", "Bash", command="sub")], mid="m9", isSidechain=True),
        line("assistant", "a4", "u4", [{"type": "text", "text": "Done."}], mid="m2"),
        jsonl=True,
    )
    first, second = reading.trajectory.turns
    assert (first.action, second.action) == (Shell(command="ls"), View(path="/x"))
    assert first.thought == "Hm.\n\nlook"
    assert first.parallel
    assert (first.observation.exit_code, second.observation.text) == (2, "1\tx")
    assert reading.trajectory.task.problem == "add() subtracts"
    assert reading.dropped == {
        "abandoned branch": 2,
        "sub-agent": 1,
        "message no user typed": 1,
        "reply without an action": 1,
    }


def test_trap_15_codex_screen_events_are_ignored_and_its_own_folder_is_dropped_from_calls(read):
    def response(**payload):
        return {"timestamp": "t", "type": "response_item", "payload": payload}

    shell = {"command": ["bash", "-lc", "ls"], "workdir": "/repo", "timeout_ms": 1000}
    reading = read(
        {"timestamp": "t", "type": "session_meta", "payload": {"id": "1", "cwd": "/repo"}},
        response(type="message", role="user", content=[{"type": "input_text", "text": "<environment_context>x"}]),
        response(type="message", role="user", content=[{"type": "input_text", "text": "add() subtracts"}]),
        {"timestamp": "t", "type": "event_msg", "payload": {"type": "user_message", "message": "add() subtracts"}},
        response(type="reasoning", summary=[{"type": "summary_text", "text": "Hm."}], encrypted_content="x"),
        response(type="function_call", name="shell", arguments=json.dumps(shell), call_id="a"),
        response(
            type="function_call_output",
            call_id="a",
            output=json.dumps({"output": "calc.py\n", "metadata": {"exit_code": 0}}),
        ),
        response(type="custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="b"),
        response(type="custom_tool_call_output", call_id="b", output="ok"),
        jsonl=True,
    )
    first, second = reading.trajectory.turns
    assert first.action == Shell(command="ls")
    assert first.thought == "Hm."
    assert first.observation.exit_code == 0
    assert second.action == OtherCall(tool="apply_patch", arguments={"input": "*** Begin Patch"})
    assert reading.trajectory.task.workdir == "/repo"
    assert reading.dropped == {"event for the screen": 1}


def test_trap_16_test_lists_are_lists_or_the_json_text_of_lists():
    assert listed_tests('["a::b", "c"]') == listed_tests(["a::b", "c"]) == ("a::b", "c")
    assert listed_tests("not json") == listed_tests(None) == ()
    row = {"repo": "acme/calc", "FAIL_TO_PASS": '["a"]', "PASS_TO_PASS": ["b"], "problem_statement": "p"}
    task = task_of("acme__calc-7", "prompt", row)
    assert (task.fail_to_pass, task.pass_to_pass) == (("a",), ("b",))


def test_trap_16_every_verified_row_has_its_failing_tests(shared_data):
    for name in ("swebench_verified.jsonl", "verified_v5_rows.jsonl"):
        with (shared_data / "swebench_verified" / name).open(encoding="utf-8") as rows:
            assert all(listed_tests(json.loads(row)["FAIL_TO_PASS"]) for row in rows), name


def test_real_rows_rollouts_and_sessions_add_up(shared_data):
    folders = ("nebius", "r2e_gym", "openai_responses_rollouts", "atif", "claude_code_codex", "moatless")
    readings = [e for e in scan_logs([shared_data / name for name in folders]) if isinstance(e, Reading)]
    assert all(reading.unexplained == 0 for reading in readings)
    sources = [reading.trajectory.source for reading in readings if reading.trajectory.turns]
    expected = {"nebius": 5, "r2e_gym": 10, "openai_responses": 15, "moatless_nodes": 2, "moatless_transitions": 2}
    for source, count in expected.items():
        assert sources.count(source) == count, source
    assert {"atif", "codex", "claude_code", "chat"} <= set(sources)
    r2e = [r.trajectory for r in readings if r.trajectory.source == "r2e_gym"]
    assert sum(t.outcome == "resolved" for t in r2e) == 7
    assert not any("<think>" in turn.thought for t in r2e for turn in t.turns)

"""Traps 5 and 6: mini-swe-agent."""

import json

from srl_swe.logs import Reading, scan_logs
from srl_swe_envs.actions import Shell, Submit

TASK = "<pr_description>\nConsider the following PR description:\nadd() subtracts\n</pr_description>"
SUBMISSION = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git add -A && git diff --cached"
PATCH = "diff --git a/calc.py b/calc.py\n"


def fenced(thought, command, hidden=""):
    message = {"role": "assistant", "content": f"THOUGHT: {thought}\n\n```bash\n{command}\n```"}
    if hidden:
        message["extra"] = {"response": {"choices": [{"message": {"reasoning": hidden}}]}}
    return message


def user(text):
    return {"role": "user", "content": text}


def output(text, code=0):
    return user(f"<returncode>{code}</returncode>\n<output>\n{text}\n</output>")


def v1(*messages, status="Submitted", submission=PATCH):
    return {
        "info": {"exit_status": status, "submission": submission, "config": {"model": {"model_name": "expert-1"}}},
        "messages": [{"role": "system", "content": "one bash block"}, user(TASK), *messages],
        "trajectory_format": "mini-swe-agent-1",
        "instance_id": "acme__calc-7",
    }


def test_trap_5_rejected_replies_and_the_patch_are_no_turns(read):
    two = {"role": "assistant", "content": "THOUGHT: both\n```bash\nls\n```\n```bash\npwd\n```"}
    rejection = user("Please always provide EXACTLY ONE action in triple backticks, found 2 actions.")
    run = v1(fenced("look", "ls"), output("calc.py", 1), two, rejection, fenced("done", SUBMISSION), user(PATCH))
    reading = read(run)
    assert [turn.action for turn in reading.trajectory.turns] == [Shell(command="ls"), Submit()]
    assert reading.dropped == {"format-error retry": 1, "format-error message": 1, "exit pseudo-step": 1}
    first, last = reading.trajectory.turns
    assert first.observation.exit_code == 1
    assert first.observation.text == "calc.py"
    assert last.observation is None
    assert reading.trajectory.task.problem == "add() subtracts"


def test_trap_5_hidden_reasoning_in_the_raw_response_is_part_of_the_thought(read):
    turn = read(v1(fenced("look", "ls", hidden="What is there?"), output(""))).trajectory.turns[0]
    assert turn.thought == "What is there?\n\nlook"


def test_trap_5_a_fence_of_another_language_is_not_the_action(read):
    text = "THOUGHT: like this\n```python\nprint(1)\n```\n\n```bash\ncat <<'EOF'\n```python\nEOF\n```"
    turn = read(v1({"role": "assistant", "content": text}, output(""))).trajectory.turns[0]
    assert isinstance(turn.action, Shell)
    assert turn.action.command.startswith("cat <<'EOF'")


def test_trap_5_a_limit_ends_a_run_with_a_message_that_is_no_observation(read):
    reading = read(v1(fenced("look", "ls"), user("Limits exceeded"), status="LimitsExceeded", submission=""))
    assert reading.dropped == {"exit pseudo-step": 1}
    assert reading.trajectory.turns[0].observation is None


def bash(call_id, command):
    arguments = json.dumps({"command": command})
    return {"id": call_id, "type": "function", "function": {"name": "bash", "arguments": arguments}}


def tool(call_id, text):
    return {
        "role": "tool",
        "tool_call_id": call_id,
        "content": f"<returncode>0</returncode>\n<output>\n{text}</output>",
    }


def v2(*messages):
    return v1(*messages) | {"trajectory_format": "mini-swe-agent-1.1"}


def test_trap_6_several_calls_without_content_a_lost_bad_turn_and_a_dangling_last_call(read):
    run = v2(
        {"role": "assistant", "content": None, "tool_calls": [bash("a", "ls"), bash("b", "pwd")]},
        tool("b", "/testbed"),
        tool("a", "calc.py"),
        user("Tool call error:\n\n<error>\nNo tool calls found in the response.\n</error>"),
        {
            "role": "assistant",
            "content": "done",
            "tool_calls": [bash("c", "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")],
        },
        {"role": "exit", "content": PATCH, "extra": {"exit_status": "Submitted"}},
    )
    reading = read(run)
    first, second, last = reading.trajectory.turns
    assert (first.action, second.action) == (Shell(command="ls"), Shell(command="pwd"))
    assert [turn.parallel for turn in (first, second, last)] == [True, False, False]
    assert "calc.py" in first.observation.text
    assert "/testbed" in second.observation.text
    assert isinstance(last.action, Submit)
    assert last.observation is None
    assert reading.dropped == {"format-error message": 1, "exit pseudo-step": 1}


def test_trap_6_text_models_fence_their_command_and_answer_as_user(read):
    text = "I look.\n\n```mswea_bash_command\nls\n```"
    reading = read(v2({"role": "assistant", "content": text}, output("calc.py"), {"role": "exit", "content": PATCH}))
    assert [turn.action for turn in reading.trajectory.turns] == [Shell(command="ls")]
    assert reading.trajectory.turns[0].observation.exit_code == 0


def test_trap_6_a_run_that_crashed_before_its_first_reply_has_no_turns(scan):
    (event,) = scan(v2({"role": "exit", "content": "Timeout", "extra": {"exit_status": "Timeout"}}))
    assert isinstance(event, Reading)
    assert event.trajectory.turns == ()
    assert event.dropped == {"exit pseudo-step": 1}


def test_how_much_was_left_out_of_an_observation_is_kept(read):
    text = "<returncode>0</returncode>\n<output_head>\na\n</output_head>\n<elided_chars>\n1234 characters elided\n"
    turn = read(
        v2({"role": "assistant", "content": "", "tool_calls": [bash("a", "cat x")]}, {**tool("a", ""), "content": text})
    )
    assert turn.trajectory.turns[0].observation.elided_chars == 1234


def test_real_runs_of_both_versions_end_in_one_submission_and_add_up(shared_data):
    readings = [
        event
        for event in scan_logs([shared_data / "mini_swe_agent_v1", shared_data / "mini_swe_agent_v2"])
        if isinstance(event, Reading) and event.trajectory.source.startswith("mini")
    ]
    assert len(readings) == 27
    assert all(reading.unexplained == 0 for reading in readings)
    with_turns = [reading.trajectory for reading in readings if reading.trajectory.turns]
    assert len(with_turns) == 26
    assert all(isinstance(trajectory.turns[-1].action, Submit) for trajectory in with_turns)
    assert all(trajectory.outcome != "unknown" for trajectory in with_turns)
    assert sum(reading.dropped.get("format-error retry", 0) for reading in readings) == 3

"""Traps 1-4: SWE-agent runs and SWE-smith rows."""

import json

from srl_swe.logs import Reading, scan_logs
from srl_swe_envs.actions import OtherCall, Replace, Shell, Submit, View


def call(name, call_id, **arguments):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def assistant(thought, action, *calls):
    return {
        "role": "assistant",
        "content": thought,
        "thought": thought,
        "action": action,
        "agent": "main",
        "message_type": "action",
        "tool_calls": list(calls),
    }


def answer(text, call_id):
    return {"role": "tool", "content": [{"type": "text", "text": text}], "tool_call_ids": [call_id]}


SYSTEM = {"role": "system", "content": "You are an agent.", "message_type": "system_prompt"}
DEMO = {"role": "user", "content": "--- DEMONSTRATION ---\nlook how it is done", "is_demo": True}
ISSUE = {
    "role": "user",
    "content": [{"type": "text", "text": "<pr_description>\nadd() subtracts\n</pr_description>\nGo."}],
}


def step(action, observation="", thought="", **more):
    return {"action": action, "observation": observation, "response": thought, "thought": thought, "state": {}, **more}


def run_of(history, steps, **more):
    config = {
        "agent": {"model": {"name": "expert-1"}},
        "problem_statement": {"id": "acme__calc-7", "text": "add() subtracts"},
        "env": {"repo": {"base_commit": "0" * 40}, "deployment": {"image": "acme/calc:7"}},
    }
    info = {"exit_status": "submitted", "swe_agent_version": "1.1.0"}
    return {
        "environment": "main",
        "trajectory": steps,
        "history": history,
        "info": info,
        "replay_config": json.dumps(config),
    } | more


def test_trap_1_history_and_trajectory_complete_each_other(read):
    """Prompt, demonstration and task come from `history`, format-error retries from `trajectory`."""
    history = [
        SYSTEM,
        DEMO,
        ISSUE,
        assistant("look", "ls", call("bash", "a", command="ls")),
        answer("OBSERVATION:\ncalc.py", "a"),
        assistant("done", "submit", call("submit", "b")),
        answer("OBSERVATION:\nthe patch", "b"),
    ]
    steps = [step("ls", "calc.py", "look"), step("", thought="I forgot the call"), step("submit", "patch", "done")]
    for at in steps:
        at["query"] = history  # 1.1 repeats the conversation in every step
    reading = read(run_of(history, steps))
    assert [turn.action for turn in reading.trajectory.turns] == [Shell(command="ls"), Submit()]
    assert reading.context == {"system prompt": 1, "task": 1, "observation": 2}
    assert reading.dropped == {"demonstration": 1, "format-error retry": 1}
    assert reading.seen == len(history) + 1
    assert reading.trajectory.turns[0].observation.text == "calc.py"
    assert reading.trajectory.source == "swe_agent_1x"


def test_trap_2_the_call_is_taken_from_history_not_from_its_shell_rendering(read):
    rendered = "str_replace_editor view /testbed/calc.py --view_range 1 20"
    shown = call("str_replace_editor", "a", command="view", path="/testbed/calc.py", view_range=[1, 20])
    history = [SYSTEM, ISSUE, assistant("look", rendered, shown), answer("1\tdef add", "a")]
    task = read(run_of(history, [step(rendered)])).trajectory.task
    assert (task.id, task.base_commit, task.image, task.problem) == (
        "acme__calc-7",
        "0" * 40,
        "acme/calc:7",
        "add() subtracts",
    )
    turns = read(run_of(history, [step(rendered)])).trajectory.turns
    assert turns[0].action == View(path="/testbed/calc.py", lines=(1, 20))


def test_trap_2_models_without_tool_calls_write_function_blocks(read):
    text = "fix it\n\n<function=bash>\n<parameter=command>echo '<function=x>'</parameter>\n</function>"
    message = {"role": "assistant", "content": text, "thought": "fix it", "action": "echo '<function=x>'"}
    history = [SYSTEM, ISSUE, message, {"role": "user", "content": "OBSERVATION:\n<function=x>"}]
    turn = read(run_of(history, [step("echo '<function=x>'", thought="fix it")])).trajectory.turns[0]
    assert turn.action == Shell(command="echo '<function=x>'")
    assert turn.thought == "fix it"


def test_trap_2_the_id_of_a_0x_run_is_in_its_file_name(read):
    steps = [step("edit 1:1\nreturn a + b\nend_of_edit\n", thought="mend", state='{"open_file": "n/a"}')]
    history = [
        SYSTEM,
        {"role": "user", "content": "ISSUE:\nadd() subtracts\n\nINSTRUCTIONS:\nGo."},
        {"role": "assistant", "content": "mend\n```\nedit 1:1\n```", "thought": "mend", "action": steps[0]["action"]},
    ]
    run = {"environment": "swe_main", "trajectory": steps, "history": history, "info": {"exit_status": "submitted"}}
    trajectory = read(run, name="acme__calc-7.traj").trajectory
    assert trajectory.source == "swe_agent_0x"
    assert (trajectory.task.id, trajectory.task.repo) == ("acme__calc-7", "acme/calc")
    assert trajectory.turns[0].action == OtherCall(tool="edit", arguments={"text": "1:1\nreturn a + b\nend_of_edit"})


def test_trap_3_the_first_of_two_submissions_and_the_exit_pseudo_step_are_dropped(read):
    history = [
        SYSTEM,
        ISSUE,
        assistant("done", "submit", call("submit", "a")),
        answer("Review your work", "a"),
        assistant("tidy", "rm x.py", call("bash", "b", command="rm x.py")),
        answer("", "b"),
        assistant("again", "submit", call("submit", "c")),
    ]
    steps = [
        step("submit", "Review your work", "done"),
        step("rm x.py", "", "tidy"),
        step("submit", "", "again"),
        step("", "Exited (autosubmitted)", "Exit due to cost limit"),
    ]
    reading = read(run_of(history, steps))
    assert [turn.action for turn in reading.trajectory.turns] == [Shell(command="rm x.py"), Submit()]
    assert reading.trajectory.turns[-1].thought == "again"
    assert reading.dropped == {"duplicate submit": 2, "exit pseudo-step": 1}


def test_trap_3_outcomes_come_from_reports_beside_the_logs(tmp_path):
    history = [SYSTEM, ISSUE, assistant("done", "submit", call("submit", "a"))]
    log = tmp_path / "acme__calc-7.traj"
    log.write_text(json.dumps(run_of(history, [step("submit", "", "done")])))
    report = tmp_path / "acme__calc-7.report.json"

    def outcome():
        return next(e.trajectory.outcome for e in scan_logs([tmp_path]) if isinstance(e, Reading))

    assert outcome() == "unknown"
    for verdict, said in ((True, "resolved"), (False, "unresolved")):
        report.write_text(json.dumps({"resolved": verdict, "tests_status": {}, "patch_exists": True}))
        assert outcome() == said
    report.unlink()
    (tmp_path / "results.json").write_text(json.dumps({"no_generation": [], "resolved": ["acme__calc-7"]}))
    assert outcome() == "resolved"


SMITH_ID = "acme__calc.1a2b3c4d.lm_rewrite__x7x7x7x7"
EDIT = (
    "mend\n\n<function=str_replace_editor>\n<parameter=command>str_replace</parameter>\n"
    "<parameter=path>/testbed/calc.py</parameter>\n<parameter=old_str>\n    return a - b\n</parameter>\n"
    "<parameter=new_str>\n    return a + b\n\n</parameter>\n</function>"
)
LOOK = (
    "look\n<function=str_replace_editor>\n<parameter=command>view</parameter>\n<parameter=path>/x</parameter>\n"
    "<parameter=view_range>[1, 20]</parameter>\n</function>"
)


def smith_row(*replies, **more):
    messages = [{"role": "system", "content": "tools"}, {"role": "user", "content": ISSUE["content"][0]["text"]}]
    for index, reply in enumerate(replies):
        messages.append({"role": "assistant", "content": reply})
        if index < len(replies) - 1:
            messages.append({"role": "user", "content": "OBSERVATION:\nok"})
    return {
        "messages": messages,
        "instance_id": SMITH_ID,
        "resolved": True,
        "model": "expert-1",
        "traj_id": f"{SMITH_ID}.abcdefgh",
        "patch": "diff --git a/other/project.py b/other/project.py",
    } | more


def test_trap_4_messages_are_a_list_or_the_json_text_of_one(read):
    row = smith_row(LOOK, EDIT, "<function=submit>\n</function>")
    as_list = read(row).trajectory
    as_text = read({**row, "messages": json.dumps(row["messages"])}).trajectory
    assert as_list == as_text
    assert (as_list.id, as_list.source, as_list.outcome) == (f"{SMITH_ID}.abcdefgh", "swe_smith_xml", "resolved")
    assert as_list.task.repo == "acme/calc"
    assert as_list.turns[-1].observation is None  # the last observation is not in the rows


def test_trap_4_only_long_values_lose_one_newline_on_each_side(read):
    turns = read(smith_row(LOOK, EDIT)).trajectory.turns
    assert turns[0].action == View(path="/x", lines=(1, 20))
    assert turns[1].action == Replace(path="/testbed/calc.py", old="    return a - b", new="    return a + b\n")


def test_trap_4_the_patch_column_belongs_to_other_instances_and_is_not_used(read):
    task = read(smith_row(EDIT)).trajectory.task
    assert "other/project.py" not in repr(task)


def test_trap_4_a_submission_that_only_the_export_made_is_dropped(read):
    fake = (
        "Since we have successfully fixed the issue and verified it works, it's time to submit the changes:\n\n"
        "<function=submit>\n</function>"
    )
    reading = read(smith_row(LOOK, fake))
    assert [type(turn.action) for turn in reading.trajectory.turns] == [View]
    assert reading.dropped == {"fake submit": 1}


def test_trap_4_the_three_styles_of_a_real_run_give_the_same_actions(shared_data):
    styles = {}
    for path in ("derived__tool.jsonl", "derived__ticks.jsonl", "run_evaluation.xml.jsonl"):
        for event in scan_logs([shared_data / "swe_smith_rows" / path]):
            trajectory = event.trajectory
            if trajectory.task.id == "pandas-dev__pandas.95280573.pr_53652":
                styles[trajectory.source] = [turn.action for turn in trajectory.turns]
    assert set(styles) == {"swe_smith_tool", "swe_smith_ticks", "swe_smith_xml"}
    assert styles["swe_smith_tool"] == styles["swe_smith_xml"] == styles["swe_smith_ticks"]


def test_real_swe_agent_runs_account_for_every_message_and_step(shared_data):
    folders = [shared_data / "swe_agent_1x", shared_data / "swe_agent_0x"]
    readings = [event for event in scan_logs(folders) if isinstance(event, Reading)]
    assert len(readings) == 15
    assert all(reading.unexplained == 0 for reading in readings)
    smith = [r.trajectory for r in readings if r.trajectory.task.image.startswith("swesmith")]
    assert sorted(t.outcome for t in smith) == ["resolved", "resolved", "unresolved"]
    assert all(sum(isinstance(turn.action, Submit) for turn in t.turns) == 1 for t in smith)


def test_trap_3_a_report_beside_a_log_counts_when_only_the_log_is_named(tmp_path):
    history = [SYSTEM, ISSUE, assistant("done", "submit", call("submit", "a"))]
    log = tmp_path / "acme__calc-7.traj"
    log.write_text(json.dumps(run_of(history, [step("submit", "", "done")])))
    other = tmp_path / "acme__calc-8.traj"
    other.write_text("{}")
    (tmp_path / "acme__calc-8.report.json").write_text(json.dumps({"resolved": False, "tests_status": {}}))
    (tmp_path / "run.report.json").write_text(json.dumps({"resolved_ids": ["acme__calc-7"], "unresolved_ids": []}))
    (reading,) = scan_logs([log])
    assert reading.trajectory.outcome == "resolved"

"""Moatless: a state machine's transitions, and a tree of nodes."""

from srl_swe_envs.actions import OtherCall, Replace, Submit


def transition(name, *actions):
    return {"name": name, "state": {"model": "expert-1"}, "actions": list(actions)}


def test_transitions_are_calls_whose_scratch_pad_is_the_thought(read):
    reading = read(
        {
            "name": "AgenticLoop",
            "initial_message": "add() subtracts",
            "transitions": [
                transition("SearchCode", {"action": {"scratch_pad": "where?", "query": "add"}, "output": {}}),
                transition("EditCode", {"action": {"content": "x"}, "output": {"message": "Applied the change."}}),
                transition("PlanToCode", {"action": {"scratch_pad": "ok", "action": "finish", "finish": "fixed"}}),
                transition("Finished"),
            ],
            "info": {"instance_id": "acme__calc-7"},
        }
    )
    search, edit, last = reading.trajectory.turns
    assert (search.thought, search.action) == ("where?", OtherCall(tool="SearchCode", arguments={"query": "add"}))
    assert edit.observation.text == "Applied the change."
    assert last.action == Submit(message="fixed")
    assert (reading.seen, reading.dropped) == (4, {"exit pseudo-step": 1})


def node(number, parent, action=None, message="", *, said="", block=None, terminal=False):
    content = [{"type": "text", "text": said}, *([{"type": "tool_use", "id": "t", **block}] if block else [])]
    return {
        "node_id": number,
        "parent_id": parent,
        "action": action,
        "observation": {"message": message, "terminal": terminal} if action else None,
        "completions": {"build_action": {"response": {"content": content}}} if action else {},
        "message": None if action else "<task>\nadd() subtracts\n</task>",
    }


def test_of_a_tree_the_path_to_the_finished_node_counts_and_the_call_is_the_models(read):
    edit = {"command": "str_replace", "path": "/repo/calc.py", "old_str": "-", "new_str": "+"}
    args_class = "moatless.actions.find_class.FindClassArgs"
    reading = read(
        {
            "metadata": {"instance_id": "acme__calc-7"},
            "agent": {"completion": {"model": "expert-1"}},
            "nodes": [
                node(0, None),
                node(1, 0, {"class_name": "Calc", "scratch_pad": "temp", "action_args_class": args_class}, "found"),
                node(2, 1, {"class_name": "Other", "action_args_class": args_class}, "nothing"),
                node(
                    3,
                    1,
                    {"path": "calc.py", "action_args_class": "x.EditArgs"},
                    "edited",
                    said="<thoughts>\nmend it\n</thoughts>",
                    block={"name": "str_replace_editor", "input": edit},
                ),
                node(4, 3, {"finish_reason": "done", "action_args_class": "x.FinishArgs"}, "done", terminal=True),
            ],
        }
    )
    find, mend, last = reading.trajectory.turns
    assert find.action == OtherCall(tool="FindClass", arguments={"class_name": "Calc"})
    assert (find.thought, find.observation.text) == ("", "found")
    assert (mend.thought, mend.action) == ("mend it", Replace(path="/repo/calc.py", old="-", new="+"))
    assert last.action == Submit(message="done")
    assert reading.dropped == {"abandoned branch": 1}
    assert reading.trajectory.task.problem == "add() subtracts"

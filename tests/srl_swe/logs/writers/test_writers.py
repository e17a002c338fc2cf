"""Writers and readers agree, and written logs look like the real ones."""

import json
from pathlib import Path

import pytest

from srl_swe.logs import scan_logs
from srl_swe.logs.reading import Reading
from srl_swe.logs.writers import Recording, text_of_json, to_mini_v2, to_openhands_v0, to_swe_agent, to_swe_smith
from srl_swe_envs.actions import Create, Insert, Replace, Shell, Submit, View
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Turn

DATA = Path(__file__).parents[4].parent / "shared" / "data"
PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-1\n+2\n"
TASK = Task(id="demo__pkg.0a1b2c3d.off__9", problem="f is wrong\n\n    f(1)\n", repo="demo/pkg", base_commit="0a1b")


def turn(thought, action, text, code=0):
    return Turn(thought=thought, action=action, observation=Observation(text=text, exit_code=code))


EDITOR_TURNS = (
    turn("Look.", Shell(command="grep -n 'x' *.py | head"), "a.py:1:x\n"),
    turn("Nothing there.", Shell(command="true"), ""),
    turn("Read.", View(path="/testbed/a.py", lines=(1, -1)), "     1\tx = 1\n"),
    turn("All of it.", View(path="/testbed"), "/testbed\n"),
    turn("New.", Create(path="/testbed/b.py", text='print("<b>")\n'), "File created"),
    turn("Insert.", Insert(path="/testbed/a.py", after_line=0, text="import b"), "edited"),
    turn("Edit.", Replace(path="/testbed/a.py", old="\tx = 1\n", new="x = 'ü'"), "edited"),
    turn("Remove.", Replace(path="/testbed/a.py", old="y", new=""), "edited"),
    turn("Done.", Submit(), ""),
)
SHELL_TURNS = (EDITOR_TURNS[0], EDITOR_TURNS[1], EDITOR_TURNS[-1])


def recording(turns):
    return Recording(task=TASK, turns=turns, patch=PATCH, resolved=True, agent="expert")


FORMATS = {
    "swe_smith_xml": (to_swe_smith, EDITOR_TURNS),
    "swe_agent_1x": (to_swe_agent, EDITOR_TURNS),
    "openhands_v0": (to_openhands_v0, EDITOR_TURNS),
    "mini_swe_agent_v2": (to_mini_v2, SHELL_TURNS),
}


def read_back(name, tmp_path):
    write, turns = FORMATS[name]
    path = tmp_path / "log.json"
    path.write_text(text_of_json(write(recording(turns))), encoding="utf-8")
    (reading,) = scan_logs([path])
    assert isinstance(reading, Reading)
    return reading, turns


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read_back(name, tmp_path):
    reading, turns = read_back(name, tmp_path)
    assert reading.trajectory.source == name
    assert reading.unexplained == 0
    assert [seen.thought for seen in reading.trajectory.turns] == [said.thought for said in turns]
    assert [seen.action for seen in reading.trajectory.turns] == [said.action for said in turns]
    for seen, said in zip(reading.trajectory.turns[:-1], turns[:-1], strict=True):
        assert said.observation.text.strip() in seen.observation.text
    task = reading.trajectory.task
    assert (task.id, task.repo, task.workdir) == (TASK.id, TASK.repo, TASK.workdir)
    assert task.problem.strip() == TASK.problem.strip()
    assert reading.trajectory.model == "expert"


@pytest.mark.parametrize("name", ["swe_smith_xml", "openhands_v0"])
def test_the_outcome_is_told_where_the_format_has_a_place_for_it(name, tmp_path):
    reading, _ = read_back(name, tmp_path)
    assert reading.trajectory.outcome == "resolved"


def test_an_editor_action_is_no_shell_command():
    with pytest.raises(ConfigError):
        to_mini_v2(recording(EDITOR_TURNS))


def test_a_swe_agent_step_repeats_the_conversation_before_it():
    log = to_swe_agent(recording(EDITOR_TURNS))
    assert [len(step["query"]) for step in log["trajectory"]] == [2 + 2 * k for k in range(len(EDITOR_TURNS))]
    assert log["trajectory"][6]["action"].startswith("str_replace_editor str_replace /testbed/a.py --old_str '")
    assert log["info"]["submission"] == PATCH


def test_a_mini_run_ends_in_an_unanswered_call_and_an_exit_message():
    messages = to_mini_v2(recording(SHELL_TURNS))["messages"]
    assert [message["role"] for message in messages[-3:]] == ["tool", "assistant", "exit"]
    assert messages[-1]["content"] == PATCH


def test_openhands_observations_name_their_action():
    events = to_openhands_v0(recording(EDITOR_TURNS))["history"]
    causes = [event["cause"] for event in events if "observation" in event]
    actions = [event["id"] for event in events if "action" in event and event["action"] not in ("system", "message")]
    assert causes == actions[:-1]
    assert len({event["id"] for event in events}) == len(events)


def shape(value):
    """Keys and types of a JSON value, three levels deep."""
    return {key: type(item).__name__ for key, item in value.items()}


def real(path):
    if not (DATA / path).exists():
        pytest.skip(f"needs the real logs in {DATA.name}: {path}")
    return (DATA / path).read_text(encoding="utf-8")


def assert_like(mine, theirs, *, without=()):
    """Every key of the real record that a reader could want is there, with the same type."""
    missing = {key: kind for key, kind in shape(theirs).items() if key not in without and shape(mine).get(key) != kind}
    assert not missing


def test_rows_look_like_swe_smiths():
    theirs = json.loads(real("swe_smith_rows/run_evaluation.xml.jsonl").split("\n")[0])
    mine = to_swe_smith(recording(EDITOR_TURNS))
    assert shape(mine) == shape(theirs)
    assert [shape(message) for message in mine["messages"][:4]] == [shape(m) for m in theirs["messages"][:4]]
    assert mine["messages"][-1]["role"] == theirs["messages"][-1]["role"] == "assistant"


def test_trajectories_look_like_swe_agents():
    theirs = json.loads(real("swe_agent_1x/smith__pandas-dev__pandas.95280573.pr_53856.traj"))
    mine = to_swe_agent(recording(EDITOR_TURNS))
    assert_like(mine, theirs)
    # 1.0 has the messages after a step, 1.1 (written here) the query before it
    assert_like(mine["trajectory"][0], theirs["trajectory"][0], without=("messages",))
    for index in (0, 1, 2, 3):
        assert_like(mine["history"][index], theirs["history"][index], without=("cache_control",))
    assert shape(mine["info"]["model_stats"]).keys() == shape(theirs["info"]["model_stats"]).keys()


def test_runs_look_like_mini_swe_agents():
    theirs = json.loads(real("mini_swe_agent_v2/deepseek_chat_test_1-100__django__django-11099.traj.json"))
    mine = to_mini_v2(recording(SHELL_TURNS))
    assert_like(mine, theirs)
    assert mine["trajectory_format"] == theirs["trajectory_format"]
    for index in (0, 1, 2, 3, -1):
        assert_like(mine["messages"][index], theirs["messages"][index], without=("provider_specific_fields",))


def test_events_look_like_openhands():
    theirs = json.loads(real("openhands_v0/multi_swe_bench__output.jsonl").split("\n")[0])
    mine = to_openhands_v0(recording(EDITOR_TURNS))
    assert_like(mine, theirs)
    seen = {event.get("action") or "saw " + event["observation"]: event for event in mine["history"]}
    for event in theirs["history"]:
        kind = event.get("action") or "saw " + event["observation"]
        if kind in seen:
            assert_like(seen[kind], event, without=("llm_metrics",))

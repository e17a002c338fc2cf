import io
import json

import pytest

from srl_swe.cli import main
from srl_swe_envs import Reply, Shell, render_reply, write_trajectories
from srl_swe_envs.tiny import tiny_trajectory

FIX = {"kind": "Replace", "path": "/testbed/adder.py", "old": "first - second", "new": "first + second"}
SCRIPT = f"""\
ls
:view /testbed/adder.py 1 3
{json.dumps({"thought": "It subtracts.", "action": FIX})}
"garbage"
:expert
:submit
"""


@pytest.fixture
def step(monkeypatch, capsys):
    """Runs `srl-swe step` on lines from a pipe; exit code, standard output and error."""

    def run(lines, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        code = main(["step", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_trajectory_is_replayed_from_a_pipe(step, tmp_path):
    path = tmp_path / "expert.jsonl"
    write_trajectories(path, [tiny_trajectory()])
    code, out, _ = step(SCRIPT, path, "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert records[0]["info"] == {"task": "tiny__adder", "step": 0}
    assert [record["reward"] for record in records[1:]] == pytest.approx([1.0, 0.917, 1.0, -1.0, 1.0], abs=0.001)
    assert records[-1]["terminated"]


def test_the_tiny_world_is_stepped_live_and_ends_when_submitted(step):
    code, out, _ = step(SCRIPT + "ls\n", "tiny", "--mode", "live")
    assert code == 0
    headlines = [line for line in out.splitlines() if line.startswith("[")]
    assert headlines == [
        "[tiny__adder, step 0]",
        "[step 1: scored, reward 1.000]",
        "[step 2: scored, reward 0.917]",
        "[step 3: scored, reward 1.000]",
        "[step 3: malformed (no_thought), reward -1.000]",
        "[step 4: scored, reward 1.000]",
        "[step 5: scored, reward 1.000 terminated]",
    ]


def test_a_fork_begins_after_the_experts_turns(step):
    _, out, _ = step(":expert\n", "tiny", "--mode", "fork", "--fork-step", 2, "--json")
    begun, stepped = map(json.loads, out.splitlines())
    assert begun["info"]["step"] == 2
    assert "first - second" in begun["observation"]
    assert stepped["info"]["similarity"] == 1.0


def test_a_reset_begins_again_and_quit_leaves(step):
    _, out, _ = step("ls\n:reset\n:quit\nls\n", "tiny", "--json")
    assert [json.loads(line)["info"]["step"] for line in out.splitlines()] == [0, 1, 0]


def test_a_whole_reply_travels_in_one_json_line(step):
    reply = render_reply(Reply(thought="Look.", action=Shell(command="ls\n# second line")), "tool_calls")
    lines = json.dumps({"reply": reply}) + "\n" + json.dumps(reply) + "\n"
    _, out, _ = step(lines, "tiny", "--dialect", "tool_calls", "--json")
    assert [json.loads(line)["info"]["status"] for line in out.splitlines()[1:]] == ["scored", "scored"]


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        ("", ("no-such-set",), "no such file or data set"),
        ("", ("demo", "--id", "nothing"), "demo holds no 'nothing'"),
        (":nonsense\n", ("tiny",), "unknown command ':nonsense'"),
        ('{"action": {"kind": "Fly"}}\n', ("tiny",), "unknown action kind 'Fly'"),
        ("{broken\n", ("tiny",), "not a reply"),
        ("", ("tiny", "--mode", "fork", "--fork-step", "9"), "fork_step must be in 0..4"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(step, lines, arguments, message):
    code, _, err = step(lines, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_trajectory_without_a_place_to_run_is_refused_live(step, tmp_path):
    path = tmp_path / "expert.jsonl"
    write_trajectories(path, [tiny_trajectory()])
    code, _, err = step("ls\n", path, "--mode", "live")
    assert (code, "--tasks" in err) == (2, True)

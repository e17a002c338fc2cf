"""The registered environments, replayed, live and forked, in real sandboxes."""

import json
from dataclasses import replace

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srl_swe_envs import (
    ConfigError,
    Create,
    Insert,
    Observation,
    OtherCall,
    Replace,
    Reply,
    Shell,
    Submit,
    SweEnv,
    Undo,
    View,
    WorkspaceError,
    read_trajectories,
    render_reply,
    score,
)
from srl_swe_envs.outcome import Outcome
from srl_swe_envs.tiny import open_tiny, tiny_task, tiny_trajectory
from srl_swe_envs.tools.compare import same_outcome
from srl_swe_envs.wrappers import DurationLimit, ObservationBudget, RecordTurns, TokenLimit, TurnLimit

IDS = ("srl_swe/Replay-v0", "srl_swe/Live-v0", "srl_swe/Fork-v0")


def reply(action, thought="why"):
    return render_reply(Reply(thought=thought, action=action), "xml")


@pytest.fixture
def live():
    env = SweEnv((tiny_task(),), mode="live", open_workspace=open_tiny)
    yield env
    env.close()


# what earlier tests left to the garbage collector is not this test's
@pytest.mark.filterwarnings("error", "default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", IDS)
def test_every_registered_id_is_made_with_default_arguments_and_passes_gymnasiums_check(name):
    env = gymnasium.make(name)
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize(
    ("mode", "options"), [("sync", {}), ("async", {"vector_kwargs": {"shared_memory": False}})], ids=["sync", "async"]
)
def test_vector_environments_step_side_by_side(mode, options):
    envs = gymnasium.make_vec("srl_swe/Replay-v0", num_envs=2, vectorization_mode=mode, **options)
    envs.reset(seed=1)
    observations, rewards, *_, info = envs.step((reply(Shell(command="ls")), "garbage"))
    assert observations == ("adder.py\n", "adder.py\n")
    assert rewards.tolist() == [1.0, -1.0]
    assert info["status"].tolist() == ["scored", "malformed"]
    assert info["_similarity"].tolist() == [True, False]
    envs.close()


@pytest.mark.parametrize("name", IDS)
def test_the_experts_own_replies_earn_one_each_and_bring_back_what_was_recorded(name):
    env = gymnasium.make(name, render_mode="ansi")
    _, info = env.reset(seed=1, options={"fork_step": 2} if "Fork" in name else None)
    assert "diverged_at" not in info
    turns = tiny_trajectory().turns
    for number, turn in enumerate(turns[info["step"] :], start=info["step"] + 1):
        observation, reward, terminated, truncated, info = env.step(reply(turn.action))
        assert (observation, reward, truncated) == (turn.observation.text, 1.0, False)
        assert terminated == (number == len(turns))
        assert info["step"] == number
        assert turn.observation.text in env.render()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(reply(Submit()))
    env.close()


def test_in_replay_the_experts_turn_happens_whatever_the_agent_says():
    env = SweEnv()
    env.reset(seed=0)
    turns = tiny_trajectory().turns
    for turn, text in zip(turns, ["garbage", reply(Submit()), reply(Shell(command="rm -rf /")), "", ""], strict=True):
        observation, reward, terminated, truncated, info = env.step(text)
        assert observation == turn.observation.text
        assert reward == score(text, turn.action, "xml").value
        assert info["expert"]
    assert (terminated, truncated) == (True, False)
    assert env.turns == turns


def test_a_recording_that_ends_without_a_submission_truncates():
    cut = replace(tiny_trajectory(), turns=tiny_trajectory().turns[:1])
    env = SweEnv((cut,))
    env.reset(seed=0)
    assert env.step("x")[2:4] == (False, True)


def test_live_actions_are_executed_and_without_an_expert_masked(live):
    live.reset(seed=0)
    observation, reward, _, _, info = live.step(reply(Shell(command="cd /tmp; echo $((6*7)); exit 3")))
    assert (observation, reward, info["status"], info["exit_code"]) == ("42\n", 0.0, "masked", 3)
    assert live.step(reply(Shell(command="pwd")))[0] == "/tmp\n"
    assert (
        live.step(reply(Create(path="/testbed/new.py", text="x\n")))[0]
        == "File created successfully at: /testbed/new.py"
    )
    assert "new.py" in live.patch()
    assert live.step(reply(Submit()))[2] is True


def test_a_reset_brings_the_pristine_workspace_back(live):
    live.reset(seed=0)
    live.step(reply(Shell(command="rm adder.py; touch /tmp/left")))
    live.reset()
    assert live.step(reply(Shell(command="ls . /tmp")))[0] == ".:\nadder.py\n\n/tmp:\n"
    assert live.patch() == ""


def test_a_malformed_live_reply_executes_nothing_and_keeps_the_experts_step():
    env = SweEnv((tiny_trajectory(),), mode="live", open_workspace=open_tiny)
    env.reset(seed=0)
    observation, reward, *_, info = env.step("ls")
    assert (reward, info["reason"], info["step"]) == (-1.0, "no_thought", 0)
    assert "no_thought" in observation
    assert env.step(reply(Shell(command="ls")))[1] == 1.0
    env.close()


def test_a_fork_says_where_it_left_the_recording():
    trajectory = tiny_trajectory()
    other = replace(trajectory.turns[0], observation=Observation(text="something else", exit_code=0))
    env = SweEnv((replace(trajectory, turns=(other, *trajectory.turns[1:])),), mode="fork", open_workspace=open_tiny)
    assert env.reset(seed=0, options={"fork_step": 2})[1]["diverged_at"] == 0
    assert "diverged_at" not in env.reset(options={"fork_step": 0})[1]
    env.close()


def test_infrastructure_failure_truncates_and_is_no_reward():
    class Dying:
        def __init__(self):
            self.inner = open_tiny(tiny_task())

        def run(self, command, *, timeout_s=None):
            raise WorkspaceError("the container is gone")

        def reset(self):
            raise WorkspaceError("still gone")

        def close(self):
            self.inner.close()

    opened = []
    env = SweEnv((tiny_trajectory(),), mode="live", open_workspace=lambda task: opened.append(task) or Dying())
    for _ in range(2):
        env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step(reply(Shell(command="ls")))
        assert (observation, reward, terminated, truncated) == ("", 0.0, False, True)
        assert (info["status"], info["reason"]) == ("infra", "the container is gone")
        assert "similarity" not in info
    assert len(opened) == 2
    env.close()


@pytest.mark.parametrize("resolved", [True, False])
def test_a_submission_is_rewarded_by_the_tests_of_the_patch(resolved):
    task = replace(tiny_task(), fail_to_pass=("test_adder.py::test",))
    graded = []

    def grade(task, patch, open_workspace):
        graded.append(patch)
        return Outcome(task=task.id, resolved=resolved, tests={})

    env = SweEnv((task,), mode="live", open_workspace=open_tiny, grade=grade)
    env.reset(seed=0)
    env.step(reply(Shell(command="sed -i s/-/+/ adder.py")))
    *_, reward, terminated, _, info = env.step(reply(Submit()))
    assert (reward, terminated, info["status"], info["resolved"]) == (float(resolved), True, "graded", resolved)
    assert "reason" not in info
    assert "+    return first + second" in graded[0]
    env.close()


def test_grading_that_fails_is_infra_not_zero():
    def grade(task, patch, open_workspace):
        raise WorkspaceError("no engine")

    env = SweEnv((replace(tiny_task(), fail_to_pass=("t",)),), mode="live", open_workspace=open_tiny, grade=grade)
    env.reset(seed=0)
    assert env.step(reply(Submit()))[4]["status"] == "infra"
    env.close()


def test_seeds_and_options_choose_the_episode():
    sources = [replace(tiny_trajectory(), task=replace(tiny_task(), id=f"t{number}")) for number in range(20)]
    env = SweEnv(sources)
    first = [env.reset(seed=seed)[1]["task"] for seed in range(10)]
    assert [env.reset(seed=seed)[1]["task"] for seed in range(10)] == first
    assert len(set(first)) > 3
    assert env.reset(options={"index": 7})[1]["task"] == "t7"


def test_mistakes_of_the_caller_are_config_errors():
    for arguments, message in [
        ({"mode": "relive"}, "unknown mode"),
        ({"render_mode": "human"}, "unknown render mode"),
        ({"dialect": "yaml"}, "unknown dialect"),
        ({"sources": (tiny_task(),)}, "needs trajectories"),
        ({"sources": (tiny_task(),), "mode": "live"}, "give open_workspace"),
    ]:
        with pytest.raises(ConfigError, match=message):
            SweEnv(**arguments)
    for options in ({"index": 1}, {"index": "0"}, {"nonsense": 1}, {"fork_step": 1}):
        with pytest.raises(ConfigError, match="reset option"):
            SweEnv().reset(options=options)


def test_limits_truncate_and_say_which():
    turns = TurnLimit(SweEnv(), max_turns=2)
    turns.reset(seed=0)
    assert turns.step("x")[3] is False
    assert turns.step("x")[4]["truncated_by"] == "turns"
    duration = DurationLimit(SweEnv(), max_duration_s=0.0)
    duration.reset(seed=0)
    assert duration.step("x")[4]["truncated_by"] == "duration"
    tokens = TokenLimit(SweEnv(), max_tokens=80, count_tokens=len)
    tokens.reset(seed=0)
    assert tokens.step("x")[3] is False  # 53 + 1 + 9
    assert tokens.step("x")[4]["truncated_by"] == "tokens"
    ended = TurnLimit(SweEnv((replace(tiny_trajectory(), turns=tiny_trajectory().turns[-1:]),)), max_turns=1)
    ended.reset(seed=0)
    assert ended.step("x")[2:4] == (True, False)  # submitted is not cut off


def test_an_observation_budget_keeps_both_ends_and_counts_the_rest():
    env = ObservationBudget(SweEnv(), max_chars=10)
    observation, info = env.reset(seed=0)
    assert observation.startswith("`add(")
    assert observation.endswith("ve 5.")
    assert info["elided_chars"] == len(tiny_task().problem) - 10
    assert env.step("x")[0] == "adder.py\n"


def test_recorded_rollouts_are_trajectories_again(tmp_path):
    path = tmp_path / "rollouts.jsonl"
    env = RecordTurns(SweEnv((tiny_task(),), mode="live", open_workspace=open_tiny), path)
    for text in ("echo 1", "echo \ud800"):
        env.reset(seed=0)
        env.step(reply(Shell(command=text)))
        env.step("garbage")
        env.step(reply(Submit()))
    env.close()
    first, second = read_trajectories(path)
    assert [turn.action for turn in first.turns] == [Shell(command="echo 1"), Submit()]
    assert first.turns[0].observation.text == "1\n"
    assert (first.id, second.id, second.source) == ("tiny__adder.rollout-1", "tiny__adder.rollout-2", "rollout")


@pytest.mark.parametrize(
    ("action", "seen", "recorded", "same"),
    [
        (Shell(command="pytest"), "1 passed in 0.01s", "1 passed in 2.50s\r\n", True),
        (Shell(command="pytest"), "1 passed", "1 failed", False),
        (Shell(command="ls"), "b\na\n", "a\nb", True),
        (Shell(command="cat x"), "b\na\n", "a\nb", False),
        (Shell(command="x"), "at 0x7f00aa", "at 0x7f11bb", True),
    ],
)
def test_outcomes_are_compared_without_what_varies(action, seen, recorded, same):
    assert same_outcome(action, Observation(text=seen), Observation(text=recorded)) is same
    assert not same_outcome(action, Observation(text="x", exit_code=0), Observation(text="x", exit_code=1))


PATHS = st.sampled_from(["/testbed/adder.py", "/testbed/new.py", "/testbed", "/", "relative", "", "/proc/self/mem"])
TEXTS = st.sampled_from(["", "first", "return", "\t", "\ud800", "\x00", "é\n"]) | st.text(max_size=20)
COMMANDS = st.sampled_from(
    [
        *("ls", "cat", "cat adder.py", "cd /tmp", "exit 7", "export A=1", "false", "set -e; false", "kill -9 $$"),
        *("rm -f adder.py", "echo x > new.py", "printf '\\0\\377'", "head -c 300000 /dev/zero | tr '\\0' x", "if", "'"),
        *("exec true", "\x00", "sleep 0 &", "echo \ud800", "git stash -q", "mkdir -p adder.py", "rm -rf .git"),
        *("ln -sf /etc/passwd new.py", "chmod 000 adder.py", "trap 'echo t' EXIT"),
    ]
)
ACTIONS = st.one_of(
    st.builds(Shell, command=COMMANDS),
    st.builds(View, path=PATHS, lines=st.none() | st.tuples(st.integers(-2, 9), st.integers(-2, 9))),
    st.builds(Create, path=PATHS, text=TEXTS),
    st.builds(Replace, path=PATHS, old=TEXTS, new=TEXTS),
    st.builds(Insert, path=PATHS, after_line=st.integers(-1, 9), text=TEXTS),
    st.builds(Undo, path=PATHS),
    st.just(Submit()),
    st.builds(OtherCall, tool=st.sampled_from(["think", "x"]), arguments=st.just({"a": 1})),
)
JSON_REPLIES = ACTIONS.map(lambda action: render_reply(Reply(thought="t", action=action), "tool_calls"))
REPLIES = JSON_REPLIES | st.text(max_size=60) | st.just(json.dumps({"name": "bash"}))
EPISODE = st.lists(REPLIES, min_size=25, max_size=25)


def walk(env, replies):
    env.reset(seed=0)
    steps = 0
    for text in replies:
        observation, reward, terminated, truncated, info = env.step(text)
        steps += 1
        assert env.observation_space.contains(observation)
        assert -1.0 <= reward <= 1.0
        assert info["status"] in ("scored", "malformed", "masked")
        if terminated or truncated:
            env.reset()
    return steps


@pytest.fixture(scope="module")
def fuzzed():
    envs = {
        "replay": SweEnv(dialect="tool_calls"),
        "local": SweEnv(
            (tiny_trajectory(),), mode="live", dialect="tool_calls", open_workspace=open_tiny, timeout_s=5.0
        ),
    }
    steps = dict.fromkeys(envs, 0)
    yield envs, steps
    for env in envs.values():
        env.close()


@pytest.mark.parametrize("name", ["replay", "local"])
def test_random_replies_never_raise_out_of_step(name, fuzzed):
    envs, steps = fuzzed

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(replies=EPISODE)
    def run(replies):
        steps[name] += walk(envs[name], replies)

    run()
    assert steps[name] >= 5000

import difflib
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe_envs import (
    ConfigError,
    Create,
    OtherCall,
    Reply,
    Shell,
    StepInstance,
    Submit,
    Task,
    Turn,
    View,
    render_reply,
    score,
    score_replies,
)
from srl_swe_envs.dialects import render_actions
from srl_swe_envs.rewards import Characters, StepReward, scorer_named

TASK = Task(id="t", problem="p")


def step(expert, *history):
    turns = tuple(Turn(thought="", action=action) for action in history)
    return StepInstance(trajectory_id="x", task=TASK, index=len(turns), history=turns, expert=expert)


def reply(action, dialect="xml"):
    return render_reply(Reply(thought="why", action=action), dialect)


def test_the_experts_own_action_is_worth_one_in_every_dialect():
    for dialect in ("xml", "fence", "tool_calls"):
        reward = score(reply(Shell(command="ls -la"), dialect), step(Shell(command="ls -la")), dialect)
        assert reward == StepReward(value=1.0, similarity=1.0, status="scored")


def test_value_is_difflibs_ratio_of_the_commands_without_thought_and_wrapper():
    reward = score(reply(Shell(command="rm -rf build")), step(Shell(command="ls -la build")), "xml")
    assert reward.value == difflib.SequenceMatcher(None, "rm -rf build", "ls -la build", autojunk=False).ratio()


def test_malformed_replies_are_worth_minus_one_and_keep_their_reason():
    rewards = score_replies(["hm", "<think>a", "<think>a</think> nothing"], step(Submit()), "xml")
    assert [r.reason for r in rewards] == ["no_thought", "unclosed_thought", "no_action"]
    assert {(r.value, r.similarity, r.status) for r in rewards} == {(-1.0, None, "malformed")}


def test_a_reply_cut_off_by_the_token_limit_is_malformed_even_if_it_parses():
    good = reply(Shell(command="ls"))
    rewards = score_replies([good, good], step(Shell(command="ls")), "xml", truncated=[True, False])
    assert [(r.value, r.reason) for r in rewards] == [(-1.0, "truncated"), (1.0, "")]


def test_a_batch_gives_what_single_scores_give_in_the_same_order():
    targets = [step(Shell(command="ls")), View(path="/a"), step(Create(path="/a", text="x\n"))]
    replies = [reply(Shell(command="la")), "garbage", reply(Create(path="/b", text="x"))]
    one_by_one = tuple(score(r, t, "xml") for r, t in zip(replies, targets, strict=True))
    assert score_replies(replies, targets, "xml") == one_by_one


def test_tools_of_the_experts_history_are_accepted_and_unknown_ones_are_not():
    call = OtherCall(tool="think_hard", arguments={"about": "it"})
    known = score(reply(call), step(Shell(command="ls"), call), "xml")
    unknown = score(reply(call), step(Shell(command="ls")), "xml")
    assert known.status == "scored"
    assert (unknown.status, unknown.reason) == ("malformed", "unknown_tool")


def test_the_wrapper_lifts_unrelated_commands_and_autojunk_lowers_near_copies():
    unrelated = reply(Shell(command="cat x")), step(Shell(command="python setup.py build"))
    plain = score(*unrelated, "xml").value
    assert score(*unrelated, "xml", scorer=Characters(wrapper=True)).value > plain + 0.3
    text = "def f(x):\n    return x + 1\n\n" * 20
    near = reply(Create(path="/a.py", text=text.replace("1", "2"))), Create(path="/a.py", text=text)
    assert score(*near, "xml", scorer=Characters(autojunk=True)).value < score(*near, "xml").value


@pytest.mark.parametrize("dialect", ["xml", "fence", "tool_calls"])
def test_a_step_of_several_turns_compares_the_texts_of_all_its_actions(dialect):
    merged = replace(step(Shell(command="ls")), then=(Shell(command="pwd"), Submit()))
    actions = [Shell(command="ls"), Shell(command="pwd"), Submit()]
    replies = [
        render_actions("why", said, dialect)
        for said in (actions, actions[:2], [Shell(command="ls"), Shell(command="cat x"), Submit()])
    ]
    values = [reward.value for reward in score_replies([*replies, "<think>a</think> nothing"], merged, dialect)]
    whole = "ls\npwd\nsubmit"
    expected = [difflib.SequenceMatcher(None, said, whole).ratio() for said in (whole, "ls\npwd", "ls\ncat x\nsubmit")]
    assert values == [*expected, -1.0]
    alone = replace(merged, then=())
    assert score(render_actions("", actions[:1], dialect), alone, dialect).value == 1.0
    assert score(replies[0], step(Shell(command="ls")), dialect).reason == "two_actions"


def test_only_scorers_of_texts_can_compare_several_actions():
    merged = replace(step(Shell(command="ls")), then=(Submit(),))
    said = render_actions("", [Shell(command="ls"), Submit()], "xml")
    for name in ("characters", "characters_autojunk", "characters_wrapper", "tokens"):
        assert score(said, merged, "xml", scorer=scorer_named(name)).value == 1.0
    with pytest.raises(ConfigError, match="structured can't compare several actions"):
        score(said, merged, "xml", scorer=scorer_named("structured"))


def test_no_value_can_slip_into_a_mean_when_there_is_no_reward():
    for reward in (StepReward.infra("container died"), StepReward.masked("no expert")):
        assert math.isnan(reward.value)
        assert reward.similarity is None


def test_mistakes_of_the_caller_are_config_errors():
    with pytest.raises(ConfigError, match="unknown dialect"):
        score("x", Submit(), "xmll")
    with pytest.raises(ConfigError, match="2 replies but 1 targets"):
        score_replies(["a", "b"], [Submit()], "xml")
    with pytest.raises(ConfigError, match="marks of truncation"):
        score_replies(["a", "b"], Submit(), "xml", truncated=[True])


@pytest.mark.parametrize("value", ["[" * 100_000, "[" + "9" * 5000 + ", 1]", "9" * 5000, "[1, 2, 3]", "[1.5, 2]"])
@pytest.mark.parametrize("argument", ["view_range", "insert_line"])
def test_absurd_line_numbers_are_malformed_not_exceptions(argument, value):
    command = "view" if argument == "view_range" else "insert"
    arguments = {"command": command, "path": "/a", argument: value} | ({"new_str": "x"} if command == "insert" else {})
    body = "".join(f"<parameter={name}>{text}</parameter>" for name, text in arguments.items())
    reward = score(f"<think>a</think><function=str_replace_editor>{body}</function>", Submit(), "xml")
    assert (reward.status, reward.reason) == ("malformed", "bad_arguments")


PIECES = st.sampled_from(
    ["<think>", "</think>", "<function=bash>", "<function=str_replace_editor>", "<parameter=command>", "view",
     "<parameter=view_range>", "[" * 2000, "9" * 5000, "</parameter>", "</function>", "<tool_call>", "</tool_call>",
     '{"name": "bash", "arguments": {"command": "ls"}}', "```bash\n", "\n```", "\ud800", "\x00", "\n", "ls"]
)  # fmt: skip


@given(
    text=st.lists(PIECES | st.text(max_size=5), max_size=14).map("".join),
    dialect=st.sampled_from(["xml", "fence", "tool_calls"]),
)
def test_no_text_makes_scoring_raise(text, dialect):
    reward = score(text, step(Shell(command="ls")), dialect)
    assert reward.value == -1.0 if reward.status == "malformed" else 0.0 <= reward.value <= 1.0

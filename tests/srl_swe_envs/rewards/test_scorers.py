import pytest

from srl_swe_envs import (
    ConfigError,
    Create,
    Insert,
    Observation,
    OtherCall,
    Replace,
    Reply,
    Shell,
    StepInstance,
    Submit,
    Task,
    Turn,
    View,
    render_reply,
    score,
)
from srl_swe_envs.rewards import SCORERS, scorer_named
from srl_swe_envs.rewards.edit_effect import EditEffect

ADDER = "Here's the result of running `cat -n` on /a.py:\n     1\tdef f(x):\n     2\t    return x - 1\n     3\t\n"
SEEN = Turn(thought="", action=View(path="/a.py"), observation=Observation(text=ADDER))


def value(scorer, action, expert, *history):
    step = StepInstance(trajectory_id="t", task=Task(id="t", problem=""), index=0, history=history, expert=expert)
    reply = render_reply(Reply(thought="t", action=action), "tool_calls")
    return score(reply, step, "tool_calls", scorer=scorer_named(scorer)).value


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize(
    "action",
    [Shell(command="ls"), View(path="/a.py", lines=(1, 2)), Create(path="/b", text="x\n"), Submit(),
     Replace(path="/a.py", old="x - 1", new="x + 1"), Insert(path="/a.py", after_line=0, text="import y"),
     OtherCall(tool="think", arguments={"about": ["a"], "deep": True})],
    ids=lambda action: type(action).__name__,
)  # fmt: skip
def test_every_scorer_gives_one_for_the_same_and_less_for_another_action(name, action):
    assert value(name, action, action, SEEN) == 1.0
    assert 0.0 <= value(name, Shell(command="something quite different"), action, SEEN) < 1.0


def test_tokens_do_not_count_letters_that_agree_by_chance():
    unrelated = Shell(command="prettify_settings"), Shell(command="pretend_setting")
    assert value("tokens", *unrelated) < value("characters", *unrelated)
    assert value("tokens", Shell(command="python -m pytest"), Shell(command="python -m unittest")) == pytest.approx(
        0.8333, abs=0.01
    )


def test_structured_wants_the_same_tool_and_weighs_arguments_alike():
    expert = Create(path="/pkg/module.py", text="x = 1\n" * 100)
    assert value("structured", Shell(command="create /pkg/module.py"), expert) == 0.0
    assert value("structured", Create(path="/pkg/module.py", text=""), expert) == 0.5
    assert value("structured", View(path="/a"), View(path="/a", lines=(1, 5))) == 0.5
    assert value("structured", OtherCall(tool="x", arguments={"a": 1}), OtherCall(tool="x", arguments={"a": 1})) == 1.0
    assert value("structured", Submit(), Submit(message="done")) == 0.0


def test_edits_with_the_same_effect_are_equal():
    expert = Replace(path="/a.py", old="x - 1", new="x + 1")
    longer = Replace(path="/a.py", old="def f(x):\n    return x - 1", new="def f(x):\n    return x + 1")
    assert value("characters", longer, expert, SEEN) < 0.8
    assert value("edit_effect", longer, expert, SEEN) == 1.0
    assert (
        value(
            "edit_effect",
            Insert(path="/a.py", after_line=1, text="    pass"),
            Replace(path="/a.py", old="def f(x):\n", new="def f(x):\n    pass\n"),
            SEEN,
        )
        == 1.0
    )


def test_a_refused_edit_has_no_effect_and_an_unknown_file_is_compared_as_text():
    expert = Replace(path="/a.py", old="x - 1", new="x + 1")
    assert value("edit_effect", Replace(path="/a.py", old="x - 2", new="x + 1"), expert, SEEN) == 0.0
    near = Replace(path="/a.py", old="x - 1", new="x + 2")
    assert value("edit_effect", near, expert) == value("characters", near, expert)


def test_a_snapshot_may_say_what_the_files_held():
    expert = Replace(path="/b.py", old="one", new="two")
    step = StepInstance(trajectory_id="t", task=Task(id="t", problem=""), index=0, history=(), expert=expert)
    scorer = EditEffect(files=lambda step: {"/b.py": "zero\none\n"})
    same = Replace(path="/b.py", old="zero\none\n", new="zero\ntwo\n")
    assert score(render_reply(Reply(thought="", action=same), "xml"), step, "xml", scorer=scorer).value == 1.0


def test_an_unknown_scorer_is_a_config_error():
    with pytest.raises(ConfigError, match="known: characters, characters_autojunk, characters_wrapper"):
        scorer_named("embedding")

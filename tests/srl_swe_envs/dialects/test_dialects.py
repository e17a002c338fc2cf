"""Every dialect reads back what it writes, and says why it can't read something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe_envs.actions import Action, Create, Insert, OtherCall, Replace, Shell, Submit, Undo, View
from srl_swe_envs.dialects import (
    DIALECTS,
    REASONS,
    parse_actions,
    parse_reply,
    render_actions,
    render_reply,
    split_reply,
)
from srl_swe_envs.dialects.reply import Reply
from srl_swe_envs.errors import ConfigError, MalformedReply

# Pieces that dialects use as syntax, so that hypothesis meets them inside values.
SYNTAX = ["</parameter>", "<parameter=x>", "</function>", "<function=bash>", "```", "```bash\n", "\n", "</tool_call>"]
TEXT = st.lists(st.one_of(st.sampled_from(SYNTAX), st.text(max_size=8)), max_size=6).map("".join)
PATH = st.text(st.characters(codec="utf-8", exclude_characters="\n<>"), min_size=1, max_size=12)
LINE = st.integers(0, 10_000)

ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Shell, command=TEXT),
    st.builds(View, path=PATH, lines=st.one_of(st.none(), st.tuples(LINE, LINE))),
    st.builds(Create, path=PATH, text=TEXT),
    st.builds(Replace, path=PATH, old=TEXT, new=TEXT),
    st.builds(Insert, path=PATH, after_line=LINE, text=TEXT),
    st.builds(Undo, path=PATH),
    st.just(Submit()),
)
THOUGHTS = st.text(max_size=30).map(str.strip).filter(lambda text: "</think>" not in text)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(thought=THOUGHTS, action=ACTIONS)
def test_a_rendered_reply_reads_back_as_itself_or_is_refused(dialect: str, thought: str, action: Action) -> None:
    reply = Reply(thought=thought, action=action)
    try:
        text = render_reply(reply, dialect)
    except ConfigError:
        return  # the dialect has no words for it, and says so
    assert parse_reply(text, dialect) == reply


@pytest.mark.parametrize("dialect", DIALECTS)
@given(thought=THOUGHTS, actions=st.lists(ACTIONS, min_size=1, max_size=4))
def test_several_actions_in_a_reply_read_back_or_are_refused(dialect: str, thought: str, actions: list[Action]) -> None:
    try:
        text = render_actions(thought, actions, dialect)
    except ConfigError:
        return
    assert parse_actions(text, dialect) == tuple(actions)
    first, *others = (parse_reply(part, dialect) for part in split_reply(text, dialect))
    assert first == Reply(thought=thought, action=actions[0])
    assert all(other.thought == "" for other in others)


@pytest.mark.parametrize(
    ("dialect", "text", "reason"),
    [
        ("xml", "<function=bash>\n</function>", "no_thought"),
        ("fence", "<think>hm</think> nothing", "no_action"),
        ("tool_calls", '<think>hm</think><tool_call>{"name": "fly"}</tool_call>', "unknown_tool"),
        ("xml", "<think>hm</think><function=submit>\n</function><function=bash>", "unclosed_action"),
    ],
)
def test_replies_of_several_actions_are_malformed_for_the_same_reasons(dialect: str, text: str, reason: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        parse_actions(text, dialect)
    assert caught.value.reason == reason


def reason_of(text: str, dialect: str) -> str:
    """Why a text is no reply; empty when it is one."""
    try:
        parse_reply(text, dialect)
    except MalformedReply as error:
        return error.reason
    return ""


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=TEXT)
def test_any_text_is_a_reply_or_malformed_for_a_known_reason(dialect: str, text: str) -> None:
    for whole in (text, f"<think>x</think>{text}"):
        assert reason_of(whole, dialect) in {"", *REASONS}


@given(command=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_ordinary_commands_can_be_said_in_every_dialect(command: str) -> None:
    command = command.replace("`", "").replace("<", "").strip()
    for dialect in DIALECTS:
        assert parse_reply(render_reply(Reply(thought="", action=Shell(command=command)), dialect), dialect).action == (
            Shell(command=command)
        )


XML = "<function=bash>\n<parameter=command>ls</parameter>\n</function>"


@pytest.mark.parametrize(
    ("dialect", "text", "reason"),
    [
        ("xml", XML, "no_thought"),
        ("xml", f"<think>hm\n{XML}", "unclosed_thought"),
        ("xml", "<think>hm</think> I would look around.", "no_action"),
        ("xml", f"<think>hm</think>{XML}{XML}", "two_actions"),
        ("xml", "<think>hm</think><function=bash>\n<parameter=command>ls", "unclosed_action"),
        ("xml", "<think>hm</think><function=fly>\n</function>", "unknown_tool"),
        ("xml", "<think>hm</think><function=bash>\n</function>", "bad_arguments"),
        ("xml", "<think></think>" + XML.replace("</parameter>", "</parameter>x"), "bad_arguments"),
        ("fence", "<think>hm</think>\n```python\nprint()\n```", "no_action"),
        ("fence", "<think>hm</think>\n```bash\nls\n```\n```bash\nls\n```", "two_actions"),
        ("fence", "<think>hm</think>\n```bash\nls\n", "unclosed_action"),
        ("tool_calls", "<think>hm</think>ls", "no_action"),
        ("tool_calls", '<think>hm</think><tool_call>{"name": "bash"', "unclosed_action"),
        ("tool_calls", "<think>hm</think><tool_call>{'name': 1}</tool_call>", "bad_arguments"),
        ("tool_calls", '<think>hm</think><tool_call>{"name": "fly", "arguments": {}}</tool_call>', "unknown_tool"),
    ],
)
def test_a_malformed_reply_has_its_reason(dialect: str, text: str, reason: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        parse_reply(text, dialect)
    assert caught.value.reason == reason


def test_a_thought_may_hold_what_looks_like_an_action() -> None:
    assert parse_reply(f"<think>{XML} would do</think>{XML}", "xml").action == Shell(command="ls")


def test_a_foreign_tool_is_read_only_when_the_history_uses_it() -> None:
    text = "<think>hm</think><function=browse>\n<parameter=url>x</parameter>\n</function>"
    assert parse_reply(text, "xml", foreign_tools={"browse"}).action == OtherCall(tool="browse", arguments={"url": "x"})
    with pytest.raises(MalformedReply):
        parse_reply(text, "xml")


def test_a_command_that_prints_the_submission_word_is_no_submission() -> None:
    reply = parse_reply("<think></think>\n```bash\ncat notes # COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT\n```", "fence")
    assert isinstance(reply.action, Shell)

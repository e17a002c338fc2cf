"""Our editor against what SWE-agent's printed, in real SWE-smith rows and SWE-agent 1.x logs."""

import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from srl_swe_envs import Create, Insert, Observation, Replace, Turn, Undo, View
from srl_swe_envs.dialects.xml import parse_call
from srl_swe_envs.errors import MalformedReply
from srl_swe_envs.tools import Editor, MemoryFiles
from srl_swe_envs.tools.recorded_files import RecordedFiles, shows_unseen
from srl_swe_envs.toolsets import SWE_AGENT, ToolCall

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def recorded_turns():
    """One tuple of turns per trajectory, with where it comes from."""
    for path in sorted((DATA / "swe_smith_rows").glob("*.json*")):
        for number, row in enumerate(_rows(path)):
            messages = row["messages"]
            yield (
                f"{path.name}:{number}",
                tuple(_turns(json.loads(messages) if isinstance(messages, str) else messages)),
            )
    for path in sorted((DATA / "swe_agent_1x").glob("*.traj*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            yield path.name, tuple(_turns(json.load(file)["history"]))


def _rows(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def _turns(messages):
    for message, answer in pairwise(messages):
        if message["role"] == "assistant" and not message.get("is_demo"):
            call = _call(message)
            if call is not None:
                shown = Observation(text=_content(answer))
                yield Turn(thought="", action=SWE_AGENT.read_call(call), observation=shown)


def _call(message):
    if message.get("tool_calls"):
        function = message["tool_calls"][0]["function"]
        return ToolCall(name=function["name"], arguments=json.loads(function["arguments"]))
    try:
        return parse_call(_content(message))
    except MalformedReply:
        return None


def _content(message):
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def outcome(turn, files):
    """What our editor says to a recorded edit, or None where the recording does not show enough of the file."""
    action, texts = turn.action, files.texts()
    if isinstance(action, Create):  # a recorded folder exists unless the recording says otherwise
        texts.setdefault(action.path.rpartition("/")[0] + "/placeholder", "")
    elif action.path not in texts:
        return None
    shown = Editor(MemoryFiles(texts)).run(action).text.rstrip()
    unseen_place = not files.is_complete(action.path) and not isinstance(action, Create) and "No replacement" in shown
    return None if shows_unseen(shown) or unseen_place else shown


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real logs in ../shared/data")
def test_recorded_edits_have_their_recorded_outcomes():
    agree, unknown = Counter(), Counter()
    for where, turns in recorded_turns():
        files = RecordedFiles()
        for turn in turns:
            action = turn.action
            if isinstance(action, Create | Replace | Insert | Undo):
                mine = outcome(turn, files)
                if mine is None:
                    unknown[type(action)] += 1
                else:
                    assert mine == recorded(turn), where
                    agree[type(action)] += 1
            files.follow(turn)
            if isinstance(action, View) and files.is_complete(action.path):
                assert Editor(MemoryFiles(files.texts())).run(action).text.rstrip() == recorded(turn), where
                agree[View] += 1
    assert agree[Create] >= 40
    assert agree[Replace] >= 70
    assert agree[View] >= 15
    assert sum(unknown.values()) <= 10


def recorded(turn):
    return turn.observation.text.removeprefix("OBSERVATION:\n").replace("\r\n", "\n").rstrip()


def test_an_edit_of_lines_never_seen_leaves_only_its_snippet_known():
    snippet = "The file /a has been edited. Here's the result of running `cat -n` on a snippet of /a:\n    50\tnew\n"
    turns = (Turn(thought="", action=Replace(path="/a", old="old", new="new"), observation=Observation(text=snippet)),)
    files = RecordedFiles(turns)
    assert not files.is_complete("/a")
    assert files.texts()["/a"].split("\n")[49] == "new"
    assert shows_unseen(files.texts()["/a"].split("\n")[48])

"""The example logs: recorded by the expert, and recorded again with the same observations."""

import json
from collections import Counter
from pathlib import Path

import pytest

from srl_swe.demo.record import EXAMPLES, assignments, record, write_examples
from srl_swe.logs import scan_logs
from srl_swe.logs.reading import Reading
from srl_swe_envs.actions import Submit
from srl_swe_envs.demo import HELD_OUT_PACKAGES, demo_task

ROWS = {"swe_smith": "swe_smith.jsonl", "openhands_v0": "openhands/output.jsonl"}


def readings(split: str) -> list[Reading]:
    found = list(scan_logs([EXAMPLES / split]))
    assert all(isinstance(event, Reading) for event in found)
    return found


def sample():
    """One task of every format, spread over the set, and one held-out task."""
    train = assignments("train")
    chosen = [[a for a in train if a.format == name] for name in ("swe_smith", "swe_agent", "openhands_v0", "mini_v2")]
    return [("train", group[len(group) // 2]) for group in chosen] + [("held_out", assignments("held_out")[7])]


def stored_text(split: str, assignment, folder: Path) -> dict[str, str]:
    """The stored files, cut down to the sample's task where a file holds many."""
    if assignment.format in ROWS:
        name = ROWS[assignment.format]
        lines = (EXAMPLES / split / name).read_text(encoding="utf-8").splitlines(keepends=True)
        return {name: "".join(line for line in lines if json.loads(line)["instance_id"] == assignment.task_id)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in files]
    return {name: (EXAMPLES / split / name).read_text(encoding="utf-8") for name in names}


@pytest.mark.parametrize(("split", "assignment"), sample(), ids=lambda value: getattr(value, "format", value))
def test_recording_again_gives_the_same_bytes(split, assignment, tmp_path):
    write_examples(tmp_path, [(assignment, record(assignment))])
    again = {p.relative_to(tmp_path).as_posix(): p.read_text("utf-8") for p in tmp_path.rglob("*") if p.is_file()}
    assert again == stored_text(split, assignment, tmp_path)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_task_has_one_log_and_every_record_of_it_is_understood(split):
    found = readings(split)
    assert sorted(r.trajectory.task.id for r in found) == sorted(a.task_id for a in assignments(split))
    assert sum(reading.unexplained for reading in found) == 0
    assert {reason for reading in found for reason in reading.dropped} <= {"exit pseudo-step"}
    packages = {demo_task(reading.trajectory.task.id).package for reading in found}
    assert (packages == set(HELD_OUT_PACKAGES)) == (split == "held_out")


def test_four_formats_are_used_and_swe_smith_rows_most():
    sources = Counter(reading.trajectory.source for reading in readings("train"))
    assert set(sources) == {"swe_smith_xml", "swe_agent_1x", "openhands_v0", "mini_swe_agent_v2"}
    assert sources["swe_smith_xml"] > sum(sources.values()) / 2
    assert min(sources.values()) >= 5


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_runs_are_short_and_end_in_a_submission(split):
    for reading in readings(split):
        turns = reading.trajectory.turns
        assert 6 <= len(turns) <= 11
        assert isinstance(turns[-1].action, Submit)
        assert all(turn.thought for turn in turns)


def test_logs_tell_nothing_of_the_machine_they_were_made_on():
    for path in EXAMPLES.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for trace in ("site-packages", " at 0x", "/tmp/", "python3."):
                assert trace not in text, f"{trace} in {path}"

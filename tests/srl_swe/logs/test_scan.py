"""Files, folders, globs, gzip, broken input, and memory that does not grow."""

import gzip
import itertools
import json
import subprocess
import sys
import textwrap
from random import Random

import pytest

from srl_swe.logs import Problem, Reading, Skipped, read_logs, scan_logs
from srl_swe.logs.records import read_records
from srl_swe_envs.actions import Shell
from srl_swe_envs.errors import ConfigError, TrajectoryFormatError
from srl_swe_envs.trajectories import (
    read_trajectories,
    trajectory_from_json,
    trajectory_to_json,
    write_trajectories,
)


def chat_row(number=0, command="ls", padding=""):
    call = {"id": "a", "type": "function", "function": {"name": "bash", "arguments": json.dumps({"command": command})}}
    return {
        "instance_id": f"acme__calc-{number}",
        "messages": [
            {"role": "user", "content": f"fix {number} {padding}"},
            {"role": "assistant", "content": "look", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "calc.py"},
        ],
    }


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_format_is_found_from_the_content_not_from_the_name(tmp_path):
    rows = lines(chat_row(1), chat_row(2))
    for name in ("a.jsonl", "b.json", "c.traj", "d"):
        (tmp_path / name).write_text(rows)
    (tmp_path / "pretty.json").write_text(json.dumps([chat_row(3)], indent=2))
    assert [len(list(read_logs([tmp_path / n]))) for n in ("a.jsonl", "b.json", "c.traj", "d", "pretty.json")] == [
        2,
        2,
        2,
        2,
        1,
    ]


def test_gzip_is_known_by_its_first_bytes(tmp_path):
    (tmp_path / "log.txt").write_bytes(gzip.compress(lines(chat_row()).encode()))
    (trajectory,) = read_logs([tmp_path / "log.txt"])
    assert trajectory.turns[0].action == Shell(command="ls")


def test_files_folders_and_globs_are_read_once_each_in_a_stable_order(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b.jsonl").write_text(lines(chat_row(2)))
    (tmp_path / "a.jsonl").write_text(lines(chat_row(1)))
    (tmp_path / ".hidden.jsonl").write_text(lines(chat_row(9)))
    paths = [tmp_path, tmp_path / "a.jsonl", str(tmp_path / "**" / "*.jsonl")]
    assert [t.task.id for t in read_logs(paths)] == ["acme__calc-1", "acme__calc-2"]


def test_a_missing_path_or_an_empty_pattern_is_the_users_mistake(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        list(read_logs([tmp_path / "nowhere"]))
    with pytest.raises(ConfigError, match="matches"):
        list(read_logs([tmp_path / "*.jsonl"]))


def test_one_bad_line_is_a_problem_with_its_line_and_the_rest_is_read(tmp_path):
    good, path = json.dumps(chat_row(1)), tmp_path / "log.jsonl"
    for bad in ('{"messages": [', '{"messages": "unterminated', "not json at all", '{"a": 1}}', '{"a" 1}'):
        path.write_text(f"{good}\n{bad}\n{good}\n")
        events = list(scan_logs([path]))
        problems = [event for event in events if isinstance(event, Problem)]
        assert [problem.origin.line for problem in problems] == [2], (bad, problems)
        assert sum(isinstance(event, Reading) for event in events) == 2, bad


def test_a_truncated_file_is_a_problem_that_names_the_line(tmp_path):
    pretty = json.dumps([chat_row(1), chat_row(2)], indent=1)
    path = tmp_path / "log.json"
    path.write_text(pretty[: pretty.rindex('"content": "look"')])
    events = list(scan_logs([path]))
    assert [type(event) for event in events] == [Reading, Problem]
    assert events[1].origin.line == pretty[: pretty.rindex('"content": "look"')].count("\n") + 1
    path.write_bytes(gzip.compress(lines(chat_row()).encode())[:-20])
    (event,) = scan_logs([path])
    assert isinstance(event, Problem)


def test_strict_reading_raises_with_file_and_line(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(lines(chat_row(1)) + '{"broken": \n')
    assert len(list(read_logs([path]))) == 1
    with pytest.raises(TrajectoryFormatError, match=r"log\.jsonl:2: not JSON"):
        list(read_logs([path], strict=True))


def test_a_record_that_looks_like_a_format_but_is_none_is_a_problem(tmp_path):
    row = {"trajectory_steps": [{"thought": "", "action": 7, "observation": ""}]}
    (tmp_path / "log.jsonl").write_text(lines(row))
    (event,) = scan_logs([tmp_path])
    assert isinstance(event, Problem)
    assert "r2e_gym" in event.reason


def test_files_without_agent_steps_are_named_as_such(tmp_path):
    (tmp_path / "tasks.jsonl").write_text(lines({"instance_id": "a", "problem_statement": "p", "FAIL_TO_PASS": []}))
    (tmp_path / "readme.md").write_text("# hello\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "picture.png").write_bytes(bytes(range(256)))
    events = list(scan_logs([tmp_path]))
    assert all(isinstance(event, Skipped) for event in events)
    reasons = {event.path.rpartition("/")[2]: event.reason for event in events}
    assert reasons["tasks.jsonl"] == "no agent steps: 1 task rows"
    assert reasons["readme.md"] == "not JSON"
    assert reasons["empty.jsonl"] == "empty"


def test_a_file_of_mixed_records_reads_what_it_can_and_says_what_not(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(chat_row(1), {"x": 1}, {"y": 2}, chat_row(2)))
    events = list(scan_logs([tmp_path]))
    assert sum(isinstance(event, Reading) for event in events) == 2
    (problem,) = [event for event in events if isinstance(event, Problem)]
    assert (problem.origin.line, problem.reason[:9]) == (2, "2 records")


def test_chats_with_and_without_native_calls_and_in_sharegpt_form(read):
    bash = "look\n```bash\nls\n```"
    tagged = 'look\n<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
    xml = "look\n<function=bash>\n<parameter=command>ls</parameter>\n</function>"
    for text in (bash, tagged, xml):
        chat = [
            {"role": "user", "content": "fix it"},
            {"role": "assistant", "content": f"<think>\nHm.\n</think>\n{text}"},
            {"role": "user", "content": "calc.py"},
        ]
        sharegpt = [
            {"from": {"user": "human", "assistant": "gpt"}[item["role"]], "value": item["content"]} for item in chat
        ]
        for trajectory in (read({"messages": chat}).trajectory, read({"conversations": sharegpt}).trajectory):
            (turn,) = trajectory.turns
            assert turn.action == Shell(command="ls")
            assert turn.thought.split() == ["Hm.", "look"]
            assert turn.observation.text == "calc.py"
        assert read(chat).trajectory.turns[0].action == Shell(command="ls")
        assert read(*chat, jsonl=True).trajectory.turns[0].action == Shell(command="ls")


def test_canonical_lines_are_read_back_as_they_were(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(chat_row(1), chat_row(2)))
    first = list(read_logs([tmp_path / "log.jsonl"]))
    write_trajectories(tmp_path / "out.jsonl", first)
    assert list(read_logs([tmp_path / "out.jsonl"])) == first == list(read_trajectories(tmp_path / "out.jsonl"))


def test_ids_differ_between_runs_of_a_task_and_are_stable(tmp_path):
    (tmp_path / "log.jsonl").write_text(lines(chat_row(1), chat_row(1, command="pwd"), chat_row(1)))
    ids = [trajectory.id for trajectory in read_logs([tmp_path / "log.jsonl"])]
    assert ids[0] == ids[2] != ids[1]
    assert all(identity.startswith("acme__calc-1.") for identity in ids)


def test_records_of_every_layout_carry_their_lines(tmp_path):
    path = tmp_path / "x"
    for text, expected in (
        ('{"a": 1}\n\n{"a": 2}\n', [(1, {"a": 1}), (3, {"a": 2})]),
        ('[{"a": 1},\n {"a": 2}]', [(1, {"a": 1}), (2, {"a": 2})]),
        ('{\n "a":\n 1}\n', [(1, {"a": 1})]),
        ("\n\n[1, 23, \n4]", [(3, 1), (3, 23), (4, 4)]),
        ("\ufeff[]", []),
    ):
        path.write_text(text, encoding="utf-8")
        assert [(record.line, record.value) for record in read_records(path)] == expected


def test_values_larger_than_the_window_are_read_whole(tmp_path):
    big = {"text": "é" * 600_000, "number": 12345}
    path = tmp_path / "x"
    for text in (
        json.dumps(big),
        json.dumps([big, big]),
        f"{json.dumps(big)}\n{json.dumps(big, ensure_ascii=False)}\n",
    ):
        path.write_text(text, encoding="utf-8")
        assert all(record.value == big for record in read_records(path))


JUNK = (None, 0, 1.5, "", [], {}, "x", [1], [{}], {"a": 1}, True, [None])


def damaged(value, random):
    """The value with one part of it missing or replaced by something else."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        rest = {name: item for name, item in value.items() if name != key}
        return rest if random.random() < 0.1 else {**value, key: damaged(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        index = random.randrange(len(value))
        return [*value[:index], damaged(value[index], random), *value[index + 1 :]]
    return random.choice(JUNK)


def test_damaged_real_logs_never_crash_the_scan_and_always_add_up(shared_data, tmp_path):
    folders = ("swe_agent_0x", "mini_swe_agent_v2", "openhands_v0", "nebius", "moatless", "atif", "claude_code_codex")
    files = [path for name in folders for path in sorted((shared_data / name).iterdir())]
    small = [path for path in files if path.stat().st_size < 100_000]
    values = [record.value for path in small for record in itertools.islice(read_records(path), 1) if not record.error]
    assert len(values) > 25
    random = Random(0)
    path = tmp_path / "damaged.json"
    for _ in range(300):
        value = random.choice(values)
        for _ in range(random.choice((1, 2, 4))):
            value = damaged(value, random)
        path.write_text(json.dumps(value))
        for event in scan_logs([path]):
            if isinstance(event, Reading):
                assert event.unexplained == 0
                record = json.loads(json.dumps(trajectory_to_json(event.trajectory)))
                assert trajectory_from_json(record) == event.trajectory


MEASURE = """
    import pathlib, sys
    from srl_swe.logs import read_logs
    count = sum(1 for _ in read_logs([sys.argv[1]]))
    # this program's own peak: what rusage gives of a child begins with its parent's
    (peak,) = [line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    print(count, peak.split()[1])
"""


@pytest.mark.parametrize("layout", ["lines", "array"])
def test_memory_does_not_grow_with_the_number_of_trajectories(tmp_path, layout):
    """Fifteen times the trajectories (2 MB and 30 MB of logs) cost less than a fifth of the added bytes."""
    peaks = []
    for count in (100, 1500):
        path = tmp_path / f"{count}.json"
        with path.open("w", encoding="utf-8") as file:
            file.write("[" if layout == "array" else "")
            for number in range(count):
                file.write(",\n" if layout == "array" and number else "")
                file.write(json.dumps(chat_row(number, padding="x y " * 5_000)))
                file.write("\n" if layout == "lines" else "")
            file.write("]" if layout == "array" else "")
        program = [sys.executable, "-c", textwrap.dedent(MEASURE), str(path)]
        said = subprocess.run(program, capture_output=True, text=True, check=True, env=_environment()).stdout
        read, peak_kib = map(int, said.split())
        assert read == count
        peaks.append(peak_kib)
    assert peaks[1] - peaks[0] < 5_600, peaks


def _environment():
    import os
    from pathlib import Path

    root = Path(__file__).parents[3]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "envs")])}

"""The lint report: every record is a turn, context, or dropped for a named reason."""

import json

from srl_swe.logs import scan_logs
from srl_swe.logs.records import read_records
from srl_swe.logs.report import LintReport
from srl_swe.logs.report_table import report_table


def report_of(paths):
    report = LintReport()
    for event in scan_logs(paths):
        report.add(event)
    return report


def test_no_record_of_the_real_logs_is_unexplained(shared_data):
    report = report_of([shared_data])
    for name, formatted in report.formats.items():
        assert formatted.unexplained == 0, name
        assert formatted.turns == formatted.actions.total(), name
        assert formatted.trajectories == formatted.outcomes.total(), name
        assert min([*formatted.context.values(), *formatted.dropped.values(), 0]) == 0, name
    assert report.problems == []
    total = report.total()
    assert (total.trajectories, total.turns) == (163, 3504)
    dropped = {"format-error retry", "exit pseudo-step", "demonstration", "fake user turn", "duplicate submit"}
    assert dropped <= total.dropped.keys()


def test_the_records_seen_are_as_many_as_the_files_hold(shared_data):
    """Counted here from the files themselves, without the readers."""
    gym = report_of([shared_data / "swe_gym_openhands"]).formats["swe_gym_openhands"]
    expected = 0
    for path in sorted((shared_data / "swe_gym_openhands").iterdir()):
        for record in read_records(path):
            expected += sum(max(1, len(message["tool_calls"] or ())) for message in record.value["messages"])
    assert gym.records == expected
    mini = report_of([shared_data / "mini_swe_agent_v2"]).formats["mini_swe_agent_v2"]
    files = [path for path in (shared_data / "mini_swe_agent_v2").iterdir() if ".traj.json" in path.name]
    values = [next(read_records(path)).value for path in files]
    assert mini.records == sum(len(value["messages"]) for value in values if "messages" in value)


def test_the_report_is_json_and_a_table_with_the_same_numbers(tmp_path):
    chat = [
        {"role": "user", "content": "fix it"},
        {"role": "assistant", "content": "look\n```bash\nls\n```"},
        {"role": "user", "content": "calc.py"},
        {"role": "assistant", "content": "I am done."},
    ]
    talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    rows = [{"messages": chat, "resolved": True}, {"messages": chat}, {"messages": talk}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    (tmp_path / "notes.md").write_text("# notes")
    report = report_of([tmp_path])
    written = json.loads(json.dumps(report.as_json()))
    chats = written["formats"]["chat"]
    assert (chats["trajectories"], chats["without_turns"], chats["turns"], chats["records"]) == (2, 1, 2, 10)
    assert chats["actions"] == {"shell": 2}
    assert chats["dropped"] == {"reply without an action": 3}
    assert chats["context"] == {"task": 3, "observation": 2}
    assert chats["outcomes"] == {"resolved": 1, "unknown": 1}
    assert chats["turns_per_trajectory"]["median"] == 1
    assert chats["unexplained_records"] == written["total"]["unexplained_records"] == 0
    assert [problem["line"] for problem in written["problems"]] == [4]
    assert written["files_without_agent_steps"][0]["reason"] == "not JSON"
    table = report_table(report)
    assert "reply without an action 3" in table
    assert f"{tmp_path / 'log.jsonl'}:4: not JSON" in table
    header, row, total = table.splitlines()[:3]
    assert header.split()[:4] == ["format", "traj.", "contam.", "turns"]
    assert row.split()[:4] == ["chat", "2", "0", "2"]
    assert total.split()[:4] == ["total", "2", "0", "2"]


def test_quantiles_of_many_lengths_are_estimated_from_a_bounded_sample(tmp_path):
    from srl_swe.logs.report import _SAMPLE, _Sample

    sample = _Sample()
    for value in range(5 * _SAMPLE):
        sample.add(value)
    assert len(sample._values) == _SAMPLE
    assert abs(sample.quantiles()["median"] - 2.5 * _SAMPLE) < 0.1 * _SAMPLE

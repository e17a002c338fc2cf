"""`srl-swe ingest` as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from srl_swe_envs.trajectories import read_trajectories

ROOT = Path(__file__).parents[3]


def ingest(*arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "envs")])}
    command = [sys.executable, "-m", "srl_swe", "ingest", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


def chat(instance_id, command="ls"):
    messages = [
        {"role": "user", "content": "fix it"},
        {"role": "assistant", "content": f"look\n```bash\n{command}\n```"},
        {"role": "user", "content": "calc.py \ud83d"},
    ]
    return {"instance_id": instance_id, "messages": messages}


@pytest.fixture
def logs(tmp_path):
    rows = [chat("acme__calc-1"), chat("django__django-11099"), chat("acme__calc-2")]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"broken": \n')
    return tmp_path


def test_contaminated_trajectories_are_left_out_by_default_and_counted(logs):
    done = ingest("log.jsonl", "-o", "out.jsonl", "--report", "report.json", cwd=logs)
    assert (done.returncode, done.stderr) == (0, "")
    assert [trajectory.task.id for trajectory in read_trajectories(logs / "out.jsonl")] == [
        "acme__calc-1",
        "acme__calc-2",
    ]
    assert "wrote 2 trajectories to out.jsonl; 1 contaminated ones left out" in done.stdout
    report = json.loads((logs / "report.json").read_text())
    assert (report["written"], report["total"]["contaminated"]) == (2, 1)
    assert report["problems"] == [{"file": "log.jsonl", "line": 4, "reason": report["problems"][0]["reason"]}]
    kept = ingest("log.jsonl", "-o", "all.jsonl", "--keep-contaminated", cwd=logs)
    assert kept.returncode == 0
    marks = [bool(trajectory.contaminated) for trajectory in read_trajectories(logs / "all.jsonl")]
    assert marks == [False, True, False]


def test_a_benchmark_file_replaces_the_rule_by_repository(logs):
    row = {"instance_id": "acme__calc-1", "repo": "acme/calc", "problem_statement": "entirely other words"}
    (logs / "rows.jsonl").write_text(json.dumps(row) + "\n")
    done = ingest("log.jsonl", "-o", "out.jsonl", "--benchmark", "rows.jsonl", cwd=logs)
    assert done.returncode == 0
    ids = [trajectory.task.id for trajectory in read_trajectories(logs / "out.jsonl")]
    assert ids == ["django__django-11099", "acme__calc-2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: no such file or folder"),
        (["*.nothing"], "no file matches this pattern"),
        (["log.jsonl", "--strict"], "log.jsonl:4: not JSON"),
        (["log.jsonl", "--benchmark", "nowhere"], "nowhere: no such benchmark file"),
        (["notes.md"], "no trajectory found: notes.md: not JSON"),
        (["truncated.json"], "no trajectory could be read: truncated.json:1: not JSON"),
        (["talk.jsonl"], "no trajectory found: the logs hold no agent steps"),
    ],
)
def test_wrong_input_is_one_line_exit_code_2_and_no_file(logs, arguments, message):
    (logs / "notes.md").write_text("# notes")
    (logs / "truncated.json").write_text('{"messages": [{"role": "user"')
    (logs / "talk.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hello"}]}) + "\n")
    done = ingest(*arguments, "-o", "out.jsonl", cwd=logs)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not list(logs.glob("*out.jsonl*"))
    assert not list(logs.glob(".*.tmp"))


def test_an_output_that_was_there_survives_a_failed_run(logs):
    (logs / "out.jsonl").write_text("precious")
    assert ingest("log.jsonl", "--strict", "-o", "out.jsonl", cwd=logs).returncode == 2
    assert (logs / "out.jsonl").read_text() == "precious"


def test_an_output_in_a_folder_that_is_not_there_is_one_line(logs):
    done = ingest("log.jsonl", "-o", "no/such/out.jsonl", cwd=logs)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_everything_in_the_shared_data_is_read_in_one_call(shared_data, tmp_path):
    report_file = tmp_path / "report.json"
    done = ingest(shared_data, "-o", "out.jsonl", "--report", report_file, "--keep-contaminated", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(report_file.read_text(encoding="utf-8"))
    assert report["problems"] == []
    assert report["total"]["unexplained_records"] == 0
    assert sum(1 for _ in read_trajectories(tmp_path / "out.jsonl")) == report["written"] == 163
    skipped = {Path(entry["file"]).parent.name for entry in report["files_without_agent_steps"]}
    assert not {"nebius", "r2e_gym", "swe_gym_openhands", "swe_smith_rows", "openai_responses_rollouts"} & skipped

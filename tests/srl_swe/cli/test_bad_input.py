"""Whatever a user gets wrong is one line that says what and where, with exit code 2, and costs nothing."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from srl_swe.cli import main

DEMO = Path(__file__).parents[3] / "examples/demo.toml"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "binary.bin").write_bytes(b"\xff\xfa\x00")
    (tmp_path / "latin1.toml").write_bytes(b"# caf\xe9\nseed = 1\n")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfa\n")
    (tmp_path / "canonical.jsonl").write_text('{"schema": "srl-swe/trajectory/1", "task": 5}\n')
    (tmp_path / "rows.jsonl").write_text('{"instance_id": "a", "repo": null, "problem_statement": "p"}\n')
    (tmp_path / "problems.jsonl").write_text('{"id": "a", "problem": "p", "answer": 1}\n' * 2)
    pairs = {
        "number": {"expert": "ls", "reply": 5},
        "action": {"expert": {"kind": "Shell", "command": 5}, "action": ""},
    }
    for name, pair in pairs.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(pair) + "\n")
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("[prompt\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train latin1.toml", "latin1.toml: not UTF-8 (byte 5)"),
        ("sweep latin1.toml", "latin1.toml: not UTF-8"),
        ("train DEMO --out binary.bin", "binary.bin: a file; give a folder"),
        ("train DEMO --out t --set srl.replies=1", "--set srl.replies=1: at least 2 is expected, not 1"),
        ("train DEMO --out t --set data.train=x", "write 'train = [\"...\"]'"),
        ("train DEMO --out t --set sft.learning_rate=nan", "at least 0 is expected, not NaN"),
        ("train DEMO --out t --set model.tiny.hidden=15", "a multiple of 8 is expected, twice the heads, not 15"),
        ("train DEMO --out t --set 'report_to=[\"nosuch\"]'", "report_to: nosuch is not supported"),
        ("train DEMO --out t --set novalue", "for example --set srl.max_steps=100"),
        ("train DEMO --out t --set 'data.train=[\"DIR/binary.jsonl\"]'", "binary.jsonl: not JSON; leave it out"),
        ('train DEMO --out t --set \'stages=["sft","rlvr"]\' --set rlvr.tasks=nope', "nope: no such file or data set"),
        ("evaluate --policy chekpoint:x --out e", "chekpoint:x is not one of predictions:FILE"),
        ("evaluate --policy predictions:none --out e", "none: can't be read: no such file"),
        ("evaluate --policy scripted:binary.bin --limit 1 --no-selfcheck --out e", "binary.bin: not UTF-8"),
        ("evaluate --policy checkpoint:run --out e", "run/config.toml: not TOML"),
        ("evaluate --policy gold --out binary.bin", "binary.bin: a file; give a folder"),
        (
            "evaluate --policy openai:http://localhost --vllm-args 'a \"b' --out e",
            '--vllm-args a "b: No closing quotation',
        ),
        (
            "evaluate-math problems.jsonl --policy scripted --out e",
            "problems.jsonl:2: a problem named problems/a, as in",
        ),
        ("evaluate-math problems.jsonl --limit 1 --policy gold --out e", "gold is not one of checkpoint:DIR"),
        ("score binary.jsonl", "binary.jsonl:1: needs `expert`"),
        ("score number.jsonl", "number.jsonl:1: needs `expert`, and `action` or `reply`: TypeError: reply: text"),
        ("score action.jsonl", "command: text is expected, not 5"),
        ("score number.jsonl -o run", "run: a folder; name a file"),
        ("ingest canonical.jsonl -o run", "run: a folder; name a file"),
        ("ingest canonical.jsonl -o x --benchmark rows.jsonl", "rows.jsonl:1: instance_id, repo and problem_statement"),
        ("step canonical.jsonl", "canonical.jsonl:1: not a srl-swe/trajectory/1 line"),
        ("step tiny --id x", "tiny holds no 'x'"),
        ("step tiny --mode live --tasks nope", "`tiny` has a task of its own"),
        ("tasks list binary.jsonl", "binary.jsonl"),
        ("audit run", "run/config.toml: not TOML"),
    ],
)
def test_it_is_one_line_and_exit_code_2(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    arguments = [part.replace("DEMO", str(DEMO)).replace("DIR", str(place)) for part in shlex.split(command)]
    assert main(arguments) == 2
    *_, said = capsys.readouterr().err.strip().splitlines()
    assert message in said
    assert {path.name for path in place.glob("t/*")} <= {"config.toml", "lock"}


@pytest.mark.parametrize(
    "command",
    [
        "evaluate --policy gold --out e --limit -59",
        "evaluate --policy gold --out e --max-turns 0",
        "evaluate --policy gold --out e --memory -1",
        "evaluate-math x.jsonl --policy scripted --out e --limit -1",
        "tasks validate demo --limit -1",
        "step tiny --timeout -1",
        "sweep x.toml --workers 0",
    ],
)
def test_an_option_out_of_bounds_is_one_line_and_exit_code_2(command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "srl_swe", *shlex.split(command)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert "is expected, not" in run.stderr


def test_a_mistyped_policy_does_not_keep_the_folder_from_the_right_one(place: Path) -> None:
    common = ["evaluate", "--limit", "1", "--no-selfcheck", "--workspace", "local", "--out", "e", "--policy"]
    assert main([*common, "scripted:binary.bin"]) == 2
    assert main([*common, "empty"]) == 0
    assert main([*common, "gold"]) == 2  # now there are rollouts of another policy in it

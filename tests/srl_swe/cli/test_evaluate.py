"""`srl-swe evaluate` from end to end on demo tasks in the local sandbox, and what it says to wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srl_swe.cli import main
from srl_swe_envs.actions import Shell, Submit
from srl_swe_envs.demo import load_demo_tasks
from srl_swe_envs.dialects import Reply, render_reply

TASK = load_demo_tasks("held_out")[0]


def evaluate(out: Path, policy: str, *more: str, ids: tuple[str, ...] = (TASK.id,)) -> int:
    fixed = ["evaluate", "--tasks", "demo:heldout", "--policy", policy, "--out", str(out), "--workspace", "local"]
    return main([*fixed, "--ids", *ids, *more])


def report(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


def predictions(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_gold_resolves_and_the_honesty_checks_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert evaluate(tmp_path / "run", "gold") == 0
    found = report(tmp_path / "run")
    assert found["schema"] == "srl-swe/evaluation-report/1"
    assert found["selfcheck"]["status"] == "passed"
    assert len(found["selfcheck"]["checks"]) == 6
    assert found["resolve_rate"]["raw"]["rate"] == 1.0
    assert predictions(tmp_path / "run") == [
        {"instance_id": TASK.id, "model_name_or_path": "gold", "model_patch": TASK.gold_patch}
    ]
    assert "resolve rate         100.0%" in capsys.readouterr().out
    # a second evaluation on this machine does not check again, and says that it did before
    assert evaluate(tmp_path / "again", "empty") == 0
    assert report(tmp_path / "again")["selfcheck"]["status"] == "passed_before"
    assert report(tmp_path / "again")["outcomes"]["empty"] == 1


def test_an_agent_that_applies_the_fix_resolves_and_its_turns_are_counted(tmp_path: Path):
    apply = f"git apply - <<'END'\n{TASK.gold_patch}END"
    replies = [
        render_reply(Reply(thought="t", action=Shell(command=apply)), "xml"),
        "I forgot the form.",
        render_reply(Reply(thought="t", action=Submit()), "xml"),
    ]
    script = tmp_path / "script.txt"
    script.write_text("\n=====\n".join(replies))
    assert evaluate(tmp_path / "run", f"scripted:{script}", "--no-selfcheck") == 0
    found = report(tmp_path / "run")
    assert found["outcomes"]["resolved"] == 1
    assert found["effort"]["stop_reasons"] == {"submitted": 1}
    assert found["effort"]["malformed_reasons"] == {"no_thought": 1}
    assert found["effort"]["format_compliance_rate"] == pytest.approx(2 / 3)
    assert found["results"][0]["turns"] == 3


def test_an_agent_that_never_submits_is_graded_by_its_files_at_the_turn_limit(tmp_path: Path):
    script = tmp_path / "script.txt"
    script.write_text(render_reply(Reply(thought="t", action=Shell(command="ls")), "xml"))
    assert evaluate(tmp_path / "run", f"scripted:{script}", "--no-selfcheck", "--max-turns", "2") == 0
    found = report(tmp_path / "run")["results"][0]
    assert (found["stop"], found["turns"], found["outcome"]) == ("turn_limit", 2, "empty")


def test_a_predictions_file_is_graded_and_what_it_lacks_counts_as_empty(tmp_path: Path):
    other = load_demo_tasks("held_out")[1].id
    path = tmp_path / "predictions.jsonl"
    line = {"instance_id": TASK.id, "model_patch": TASK.gold_patch, "model_name_or_path": "someone"}
    path.write_text(json.dumps(line) + "\n")
    assert evaluate(tmp_path / "run", f"predictions:{path}", "--no-selfcheck", ids=(TASK.id, other)) == 0
    outcomes = {result["task"]: result["outcome"] for result in report(tmp_path / "run")["results"]}
    assert outcomes == {TASK.id: "resolved", other: "empty"}


def test_a_model_server_that_is_gone_leaves_the_task_not_graded_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    policy = ("openai:http://127.0.0.1:9/v1", "--model", "m")
    assert evaluate(tmp_path / "run", *policy, "--no-selfcheck") == 1
    found = report(tmp_path / "run")
    assert found["outcomes"]["infra"] == 1
    assert found["resolve_rate"]["raw"]["rate"] is None
    assert found["resolve_rate"]["raw"]["not_graded_bounds"] == [0.0, 1.0]
    assert "no usable answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "gould"], "--policy gould is not one of"),
        (["--policy", "gold", "--tasks", "demo:hard"], "demo:hard is not a demo set"),
        (["--policy", "gold", "--tasks", "nothing.jsonl"], "nothing.jsonl: can't be read"),
        (["--policy", "gold", "--ids", "no-such-task"], "has no task no-such-task"),
        (["--policy", "checkpoint:/no/such/folder"], "no such checkpoint folder"),
        (["--policy", "scripted", "--dialect", "yaml"], "unknown dialect 'yaml'"),
        (["--policy", "openai:localhost"], "is not a base URL"),
        (["--policy", "predictions:none.jsonl"], "none.jsonl: can't be read"),
        (["--policy", "checkpoint:x", "--samples", "4"], "more than 1 need a --temperature above 0"),
        (["--policy", "gold", "--prices", "cheap"], "write READ,WRITTEN"),
        (["--policy", "gold", "--trained-in", "/no/run"], "does not say what a training run learned from"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    fixed = ["evaluate", "--out", str(tmp_path / "run"), "--workspace", "local", "--no-selfcheck"]
    assert main([*fixed, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_images_build_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instance_id": "a"}\n')
    fixed = ["images", "build", "--tasks", str(rows), "--out", str(tmp_path / "out.jsonl")]
    assert main([*fixed, "--clone", "a/b=here"]) == 2
    assert "rows.jsonl:1 (a): the row has no repo" in capsys.readouterr().err
    rows.write_text("")
    assert main([*fixed, "--clone", "nonsense"]) == 2

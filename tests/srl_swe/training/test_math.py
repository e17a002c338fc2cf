"""Mathematics through the same stages, from a file of solved problems to accuracy on held-out ones."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from srl_swe.cli import main
from srl_swe.demo.arithmetic import rows
from srl_swe.domains.math.solutions import problem_digest
from srl_swe.evaluation.math.run import MathOptions
from srl_swe.evaluation.math.trained import with_trained_run

CONFIG = """\
stages = ["sft"]
report_to = []
[data]
domain = "math"
train = ["train.jsonl"]
heldout = ["held_out.jsonl"]
[prompt]
include_last = true
[math]
layout = "turns"
[model.tiny]
vocabulary = 400
hidden = 48
layers = 2
heads = 2
[rollout]
max_reply_tokens = 40
[sft]
batch = 8
max_steps = 2
evaluate_every = 2
[srl]
batch = 2
replies = 2
max_steps = 1
epsilon = 0.0
[rlvr]
batch = 1
replies = 2
max_steps = 1
max_heldout_tasks = 2
dynamic_sampling = false
"""


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    for split, count in (("train", 12), ("held_out", 4)):
        chosen = itertools.islice(rows(split), count)  # type: ignore[arg-type]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    (tmp_path / "run.toml").write_text(CONFIG)
    return tmp_path


def train(workdir: Path, *overrides: str) -> dict[str, Any]:
    settings = [part for override in overrides for part in ("--set", override)]
    assert main(["train", str(workdir / "run.toml"), "--out", str(workdir / "out"), "--fresh", *settings]) == 0
    found: dict[str, Any] = json.loads((workdir / "out/summary.json").read_text())
    return found


def test_every_method_trains_on_mathematics_and_its_run_is_evaluated_as_it_was_asked(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train(workdir, 'stages=["sft","srl","rlvr"]')
    assert [stage["name"] for stage in summary["stages"]] == ["start", "sft", "srl", "rlvr"]
    assert summary["stages"][0]["heldout"]["steps"] == 4 * 3
    data = json.loads((workdir / "out/data.json").read_text())
    assert (data["train"]["used"], data["train"]["formats"]) == (12, {"numbered": 12})
    sample = json.loads((workdir / "out/1-sft/samples.jsonl").read_text().splitlines()[0])
    assert sample["expert"].startswith("1. **Move the constant**")
    evaluate = ["evaluate-math", str(workdir / "held_out.jsonl"), str(workdir / "train.jsonl"), "--limit", "2"]
    assert (
        main(
            [
                *evaluate,
                "--policy",
                f"checkpoint:{workdir / 'out'}",
                "--out",
                str(workdir / "eval"),
                "--max-tokens",
                "24",
            ]
        )
        == 0
    )
    report = json.loads((workdir / "eval/report.json").read_text())
    assert (report["settings"]["solve"], report["settings"]["layout"]) == ("steps", "turns")
    assert len(report["trained_on"]) == 2
    assert "were training problems" in capsys.readouterr().out


def test_a_run_that_ends_with_whole_solutions_is_asked_for_them_and_its_problems_are_known(workdir: Path) -> None:
    (workdir / "tasks.jsonl").write_text((workdir / "train.jsonl").read_text())
    banned = json.loads((workdir / "train.jsonl").read_text().splitlines()[0])
    (workdir / "benchmark.jsonl").write_text(json.dumps(banned) + "\n")
    episodes = ["math.layout=partial", 'stages=["rlvr"]', "rlvr.tasks=tasks.jsonl", "data.benchmark=benchmark.jsonl"]
    train(workdir, *episodes)
    learned = json.loads((workdir / "out/1-rlvr/tasks.json").read_text())["tasks"]
    assert (len(learned), problem_digest(banned["problem"]) in learned) == (11, False)
    summary = json.loads((workdir / "out/summary.json").read_text())
    (checkpoint,) = (workdir / "out/1-rlvr").glob("checkpoint-*")
    for model, solve in ((checkpoint, "whole"), (workdir / "out/start", "steps")):
        (workdir / "out/summary.json").write_text(json.dumps({**summary, "model": str(model)}))
        asked = with_trained_run(MathOptions(files=(), policy=f"checkpoint:{workdir / 'out'}", out=workdir))
        assert asked.solve == solve
        assert set(learned) <= asked.learned


@pytest.mark.parametrize(
    "change",
    [["math.layout=partial"], ["math.next_title=true"], ["prompt.merge_steps=0"], ["math.boundaries=automatic"]],
    ids=" ".join,
)
def test_each_way_to_show_and_cut_solutions_trains(workdir: Path, change: list[str]) -> None:
    assert train(workdir, *change, "sft.max_steps=1", "math.segment_chars=10")["stages"][-1]["name"] == "sft"


def refused(workdir: Path, capsys: Any, *overrides: str) -> str:
    settings = [part for override in overrides for part in ("--set", override)]
    assert main(["train", str(workdir / "run.toml"), "--out", str(workdir / "out"), *settings]) == 2
    said = str(capsys.readouterr().err.strip())
    assert len(said.splitlines()) == 1
    return said


def test_wrong_configurations_are_one_line(workdir: Path, capsys: Any) -> None:
    assert "compares single actions: with data.domain = math" in refused(workdir, capsys, "reward.scorer=structured")
    assert "no wrapper" in refused(workdir, capsys, "reward.wrapper=true")
    episodes = 'stages=["rlvr"]'
    assert "only with math.layout = 'turns'" in refused(
        workdir, capsys, episodes, "rlvr.start=expert", "math.layout=partial"
    )
    assert "have no expert" in refused(workdir, capsys, episodes, "rlvr.reward=similarity", "rlvr.tasks=train.jsonl")
    assert "nobody knows the coming step's title" in refused(workdir, capsys, episodes, "math.next_title=true")
    (workdir / "more").mkdir()
    other = json.loads((workdir / "held_out.jsonl").read_text().splitlines()[0])
    other["id"] = json.loads((workdir / "train.jsonl").read_text().splitlines()[0])["id"]
    (workdir / "more/train.jsonl").write_text(json.dumps(other) + "\n")
    assert "two solutions are both train/linear" in refused(workdir, capsys, 'data.heldout=["more/train.jsonl"]')
    (workdir / "train.jsonl").write_text('{"problem": "p", "solution": "no steps"}\n')
    assert "1 read, 1 no_numbered_steps" in refused(workdir, capsys)


def test_problems_of_the_benchmark_are_left_out(workdir: Path) -> None:
    problem = json.loads((workdir / "train.jsonl").read_text().splitlines()[0])["problem"]
    (workdir / "benchmark.jsonl").write_text(json.dumps({"question": problem.upper() + " ", "answer": 1}) + "\n")
    train(workdir, "data.benchmark=benchmark.jsonl", "sft.max_steps=1")
    counts = json.loads((workdir / "out/data.json").read_text())["train"]
    assert (counts["contaminated"], counts["left_out"]) == (1, {"contaminated": 1})

"""`srl-swe evaluate-math`: what is counted, what is kept, and what a resume changes (nothing)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from srl_swe.cli import main
from srl_swe.conversations import Message
from srl_swe.domains.math.prompts import load_math_prompts, step_reply
from srl_swe.domains.math.solutions import Solution, SolutionStep
from srl_swe.domains.math.steps import MathSteps
from srl_swe.evaluation.math.problems import read_problems
from srl_swe.evaluation.math.report import Result, make_report
from srl_swe.evaluation.math.solving import Solving, solve_all
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe.policies.protocol import Completion, Sampling
from srl_swe.policies.scripted import Scripted
from srl_swe_envs.errors import ConfigError


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Two problems whose answers are 4 and 5."""
    rows = [{"id": number, "problem": f"problem {number}", "answer": answer} for number, answer in ((1, "4"), (2, 5.0))]
    file = tmp_path / "small.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def evaluate(file: Path, out: Path, *more: str) -> dict[str, Any]:
    assert main(["evaluate-math", str(file), "--out", str(out), *more]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_answers_are_counted_greedy_and_sampled_and_averaged_over_columns(problems: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("<think>\\boxed{5}</think>\nIt is \\boxed{\\frac{8}{2}}.\n")
    report = evaluate(problems, tmp_path / "out", "--policy", f"scripted:{script}", "--k", "2")
    small = report["sets"]["small"]
    assert small["accuracy"]["greedy"]["value"] == 0.5
    assert small["accuracy"]["avg@2"]["value"] == 0.5
    assert (small["problems"], small["no_answer"], small["stops"]) == (2, 0.0, {"answered": 6})
    assert report["average"]["value"] == 0.5
    assert report["average_of"] == ["small greedy", "small avg@2"]
    lines = [json.loads(line) for line in (tmp_path / "out/grades.jsonl").read_text().splitlines()]
    assert {(line["task"], line["correct"]) for line in lines} == {("small/1", True), ("small/2", False)}
    report = evaluate(
        problems, tmp_path / "once", "--policy", f"scripted:{script}", "--k", "2", "--greedy-only", "small"
    )
    assert report["average_of"] == ["small greedy"]


def test_steps_are_asked_until_one_holds_a_box_in_both_layouts() -> None:
    replies = ["<think>a</think>first", "<think>b</think>second \\boxed{4}"]
    asked: list[tuple[Message, ...]] = []

    def ask(conversations: Any) -> Any:
        asked.extend(conversations)
        step = 0 if len(asked) <= 2 else 1
        return [Completion(text=replies[step], finish="stop", prompt_tokens=1, completion_tokens=2)] * len(
            conversations
        )

    prompts = load_math_prompts()
    one, two = solve_all(["p", "q"], Solving(prompts=prompts, solve="steps"), ask)
    assert (one.steps, one.stop, two.stop) == (["first", "second \\boxed{4}"], "answered", "answered")
    assert asked[2] == prompts.step("p", ["first"])
    asked.clear()
    (turns,) = solve_all(["p"], Solving(prompts=prompts, solve="steps", layout="turns", max_steps=1), ask)
    assert turns.stop == "step_limit"
    policy = Scripted(replies)  # answers by the number of replies so far
    turns_of = solve_all(
        ["p"],
        Solving(prompts=prompts, solve="steps", layout="turns"),
        lambda all_: [policy.complete(messages, Sampling()) for messages in all_],
    )
    assert turns_of[0].stop == "answered"


@pytest.mark.parametrize("layout", ["partial", "turns"])
@pytest.mark.parametrize("last_steps", [None, 0, 1, 2])
def test_steps_are_shown_as_far_back_as_in_training(layout: Any, last_steps: int | None) -> None:
    texts = [f"step {number}" for number in range(4)] + ["\\boxed{4}"]
    asked: list[tuple[Message, ...]] = []

    def ask(conversations: Any) -> Any:
        asked.extend(conversations)
        return [Completion(text=step_reply(texts[len(asked) - 1]), finish="stop", prompt_tokens=1, completion_tokens=2)]

    prompts = load_math_prompts()
    how = Solving(prompts=prompts, solve="steps", layout=layout, last_steps=last_steps)
    (attempt,) = solve_all(["p"], how, ask)
    assert attempt.stop == "answered"
    steps = tuple(SolutionStep(text=text) for text in texts)
    solution = Solution(id="s", problem="p", steps=steps, boundaries="given")
    training = MathSteps(prompts=prompts, layout=layout, last_steps=last_steps, include_last=True)
    expected = [
        conversation.messages[: target.message]
        for conversation in training.conversations(solution)
        for target in conversation.targets
    ]
    if layout == "turns" and last_steps is None:  # one conversation whose prompts nest
        expected = [expected[-1][: len(shown)] for shown in asked]
    assert asked == expected


@pytest.mark.parametrize(("reply", "stop"), [("no thought", "malformed"), ("<think>a</think>", "malformed")])
def test_a_step_that_is_malformed_ends_the_attempt(reply: str, stop: str) -> None:
    def ask(conversations: Any) -> Any:
        return [Completion(text=reply, finish="stop", prompt_tokens=1, completion_tokens=1)] * len(conversations)

    (attempt,) = solve_all(["p"], Solving(prompts=load_math_prompts(), solve="steps"), ask)
    assert attempt.stop == stop


def test_a_real_model_is_sampled_and_a_killed_evaluation_goes_on_with_the_same_draws(
    problems: Path, tmp_path: Path
) -> None:
    make_tiny_model(tmp_path / "model", ["problem 1"], TinyModel(vocabulary=300, hidden=16, layers=1, heads=2), 0)
    options = ["--policy", f"checkpoint:{tmp_path / 'model'}", "--k", "2", "--max-tokens", "6", "--at-once", "1"]
    evaluate(problems, tmp_path / "whole", *options)
    whole = (tmp_path / "whole/rollouts.jsonl").read_text().splitlines()
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    for name in ("rollouts", "grades"):  # as a kill in the middle of a line leaves it
        lines = (tmp_path / f"killed/{name}.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / f"killed/{name}.jsonl").write_text("".join(lines[:3]) + lines[3][:9])
    evaluate(problems, tmp_path / "killed", *options)
    assert sorted((tmp_path / "killed/rollouts.jsonl").read_text().splitlines()) == sorted(whole)
    samples = {json.loads(line)["sample"]: json.loads(line)["replies"] for line in whole if '"small/1"' in line}
    assert samples[1] != samples[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--k", "3", "--temperature", "0"], "samples need a --temperature above 0"),
        (["--policy", "gold:"], "is not one of"),
        (["--policy", "checkpoint:nowhere"], "no such checkpoint"),
        (["--prompts", "nowhere"], "a prompt folder needs"),
    ],
)
def test_wrong_input_is_one_line(problems: Path, tmp_path: Path, capsys: Any, change: list[str], message: str) -> None:
    arguments = ["--policy", "scripted", *change]
    assert main(["evaluate-math", str(problems), "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert message in said


@pytest.mark.parametrize(
    ("line", "message"),
    [('{"problem": "p"}', "neither an answer"), ('{"answer": 1}', "no `problem`"), ("[", "not a JSON object")],
)
def test_a_problem_that_can_not_be_graded_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"problem": "p", "answer": 1}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r"bad\.jsonl(:2)?: .*" + message if line != "[" else message):
        read_problems([file])


def test_every_real_benchmark_is_read_whole(shared_data: Path) -> None:
    files = [shared_data / "math" / f"{name}.jsonl" for name in ("amc23", "aime24", "aime25", "minerva_math")]
    found = read_problems(files)
    counts = {file.stem: sum(problem.set == file.stem for problem in found) for file in files}
    assert counts == {"amc23": 40, "aime24": 30, "aime25": 30, "minerva_math": 272}
    assert all(problem.text and problem.answer for problem in found)
    assert len(read_problems(files, limit=3)) == 12


def test_the_average_is_the_papers_plain_mean_of_seven_columns() -> None:
    """Rates like the base model's row of table 1, whose printed average is 24.6 of the seven columns."""
    columns = {"amc23": (40, 20), "aime24": (30, 4), "aime25": (30, 2), "minerva_math": (272, 95)}
    results = []
    for name, (count, right) in columns.items():
        for number in range(count):
            for sample in (0,) if name == "minerva_math" else (0, 1):
                correct = number < right
                stop = "answered"
                results.append(
                    Result(set=name, problem=str(number), sample=sample, correct=correct, stop=stop, tokens=1)
                )
    report = make_report(results, {}, 0)
    rates = [20 / 40, 20 / 40, 4 / 30, 4 / 30, 2 / 30, 2 / 30, 95 / 272]
    assert report["average"]["value"] == pytest.approx(sum(rates) / 7)
    assert report["average"]["low"] < report["average"]["value"] < report["average"]["high"]
    assert len(report["average_of"]) == 7

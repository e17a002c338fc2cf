"""The audit of runs whose samples are known: every figure has a reply that must move it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from srl_swe.audit.effects import another_effect, programs
from srl_swe.cli import main
from srl_swe.config import config_to_toml
from srl_swe.domains.math.solutions import problem_digest
from srl_swe.evaluation.store import RunFolder
from srl_swe.rollout import Rollout, RolloutTurn, rollout_to_json
from srl_swe.training.settings import DataSettings, PromptSettings, RunSettings
from srl_swe_envs.actions import Action, Create, Insert, Replace, Shell, Submit, View
from srl_swe_envs.dialects import Reply, render_reply
from srl_swe_envs.steps import StepInstance
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory, Turn, write_trajectories

SHOWN = "Here's the result of running `cat -n` on /a.py:\n     1\tdef f(x):\n     2\t    return x - 1\n     3\t\n"
FIX = Replace(path="/a.py", old="return x - 1", new="return x + 1")
EXPERT = (Shell(command="grep -rn return /a.py"), View(path="/a.py"), FIX, Submit())


def trajectory(number: int) -> Trajectory:
    seen = ("/a.py:2", SHOWN, "edited", "")
    turns = tuple(
        Turn(thought="hm", action=action, observation=Observation(text=text))
        for action, text in zip(EXPERT, seen, strict=True)
    )
    return Trajectory(id=f"t{number}", task=Task(id=f"k{number}", problem="p"), turns=turns, source="s")


def line(step: int, action: Action | str, *, update: int, thought: str = "hm", kind: str = "train") -> dict[str, Any]:
    reply = action if isinstance(action, str) else render_reply(Reply(thought=thought, action=action), "xml")
    figures = {"reward": 0.5, "similarity": 0.5, "status": "scored", "reason": "", "tokens": 9}
    return {"kind": kind, "step": update, "group": f"t0#{step}", "reply": reply, "expert": "x", **figures}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as training leaves it, with samples that a stage `srl` wrote."""
    write_trajectories(tmp_path / "logs.jsonl", [trajectory(number) for number in range(8)])
    folder = tmp_path / "run"
    (folder / "1-srl").mkdir(parents=True)
    data = DataSettings(train=("logs.jsonl",), heldout=("logs.jsonl",))
    (folder / "config.toml").write_text(config_to_toml(RunSettings(data=data, prompt=PromptSettings())))
    (folder / "data.json").write_text(json.dumps({"base": str(tmp_path)}))
    return folder


def audited(run: Path, lines: list[dict[str, Any]], *more: str) -> dict[str, Any]:
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (run / "1-srl/samples.jsonl").write_text(text + '{"kind": "train", "ste')  # as a kill leaves it
    assert main(["audit", str(run), *more]) == 0
    found: dict[str, Any] = json.loads((run / "audit.json").read_text())
    return found


def test_replies_that_score_high_with_another_effect_are_found_and_shown(run: Path, capsys: Any) -> None:
    other_edit = Replace(path="/a.py", old="return x - 1", new="return x - 1")
    lines = [
        line(2, other_edit, update=0),
        line(2, FIX, update=0),
        line(0, Shell(command="grep -rn returns /a.py"), update=0),
        line(0, Shell(command="egrep -rn return /a.py"), update=0),
        line(0, "no thought", update=0),
    ]
    effects = audited(run, lines)["effects"]
    assert (effects["high"], effects["another_effect"]) == (3, 2)
    assert effects["why"] == {"edit": 1, "program": 1}
    assert effects["examples"][0]["similarity"] >= effects["examples"][1]["similarity"] > 0.8
    assert "egrep -rn return" in capsys.readouterr().out


def test_what_the_tags_would_earn_is_measured_by_kind_of_action(run: Path) -> None:
    found = audited(run, [line(0, Shell(command="make"), update=0)])["wrapper"]
    assert set(found) == {"shell", "view", "replace", "submit"}
    shell = found["shell"]["replies"]
    assert (shell["count"], shell["lifted_over_half"]) == (1, 1.0)
    assert shell["plain"] < 0.5 < shell["wrapped"]
    assert found["shell"]["unrelated"]["plain"] == 1.0  # all experts of these logs run the same command
    assert found["view"]["replies"] == {"count": 0}


def test_thoughts_that_grow_drift_and_copies_of_the_history_are_counted(run: Path) -> None:
    lines = [line(1, View(path="/a.py"), update=update, thought="x" * update) for update in range(1, 31)]
    lines += [line(1, EXPERT[0], update=30, thought="do grep -rn return /a.py now") for _ in range(10)]
    lines += [line(1, EXPERT[0], update=20, kind="heldout")]
    found = audited(run, lines)
    thoughts = found["thoughts"]["1-srl"]
    assert thoughts["first_chars"]["value"] < thoughts["last_chars"]["value"]
    assert 0.8 < thoughts["drift"]["low"] <= thoughts["drift"]["value"]
    assert thoughts["hold_the_action"] == pytest.approx(10 / 40)
    copies = found["copies"]["1-srl train"]
    assert (copies["first_half"], copies["second_half"]) == (0.0, pytest.approx(10 / 25))
    assert copies["expert"] == 0.0
    assert found["copies"]["1-srl heldout"]["first_half"] == 1.0


def rollout(task: str, *actions: Action) -> Rollout:
    turns = tuple(RolloutTurn(reply="r", thought="t", action=action) for action in actions)
    return Rollout(task=task, policy="p", turns=turns, stop="submitted", patch="", duration_s=1.0)


@pytest.mark.parametrize("tasks", [7, 8])
def test_similarity_is_compared_with_outcome_over_all_graded_rollouts(run: Path, capsys: Any, tasks: int) -> None:
    policy = {"policy": f"checkpoint:{run / '1-srl/checkpoint-1'}"}
    with RunFolder.open(run.parent / "evaluation", policy) as folder:
        for number in range(tasks):
            near, far = rollout(f"k{number}", *EXPERT), rollout(f"k{number}", Shell(command="make"), Submit())
            for sample, (one, outcome) in enumerate(((near, "resolved"), (far, "unresolved"), (far, "empty"))):
                folder.rollouts.append((one.task, sample), rollout_to_json(one))
                folder.grades.append((one.task, sample), {"outcome": outcome})
        folder.rollouts.append(("k0", 9), rollout_to_json(rollout("k0")))
        folder.grades.append(("k0", 9), {"outcome": "infra"})
        folder.rollouts.append(("strange", 0), rollout_to_json(rollout("strange")))
        folder.grades.append(("strange", 0), {"outcome": "resolved"})
    found = audited(run, [line(0, EXPERT[0], update=0)])["outcome"]
    assert (found["rollouts"], found["tasks"], found["solved"]) == (3 * tasks, tasks, pytest.approx(1 / 3))
    assert found["in_place"]["value"] == pytest.approx(1.0)
    assert found["in_place"]["low"] == (pytest.approx(1.0) if tasks >= 8 else None)  # so few give no interval
    assert f"{3 * tasks} rollouts of {tasks} tasks" in capsys.readouterr().out


def test_without_its_data_a_runs_thoughts_are_audited_all_the_same(run: Path, capsys: Any) -> None:
    (run.parent / "logs.jsonl").unlink()
    found = audited(run, [line(0, EXPERT[0], update=0)])
    assert found["thoughts"]["1-srl"]["replies"] == 1
    assert found["effects"] == {}
    assert "logs.jsonl" in found["steps_unknown"]
    assert "only thoughts are audited" in capsys.readouterr().out


def test_what_can_not_be_audited_is_one_line(run: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["audit", str(tmp_path)]) == 2
    assert "not the folder of a training run" in capsys.readouterr().err
    assert main(["audit", str(run)]) == 2
    assert "no samples yet" in capsys.readouterr().err
    (run / "1-srl/samples.jsonl").write_text(json.dumps(line(0, EXPERT[0], update=0)) + "\n")
    assert main(["audit", str(run), "--evaluation", str(tmp_path / "nowhere")]) == 2
    assert "not an evaluation's folder" in capsys.readouterr().err


def step(expert: Action) -> StepInstance:
    history = (Turn(thought="", action=View(path="/a.py"), observation=Observation(text=SHOWN)),)
    return StepInstance(trajectory_id="t", task=Task(id="k", problem=""), index=1, history=history, expert=expert)


@pytest.mark.parametrize(
    ("action", "expert", "why"),
    [
        (View(path="/b.py"), View(path="/a.py"), "file"),
        (View(path="/a.py"), Shell(command="cat /a.py"), "kind"),
        (Shell(command="rm -la x"), Shell(command="ls -la x"), "program"),
        (Shell(command="A=1 ls x | head"), Shell(command="ls y | head -3"), ""),
        (Replace(path="/a.py", old="    return x - 1", new="    return x + 1"), FIX, ""),
        (Insert(path="/a.py", after_line=1, text="    pass"), FIX, "edit"),
        (Replace(path="/b.py", old="return x - 1", new="return x + 1"), FIX, "file"),
        (Create(path="/a.py", text="x"), Submit(), "kind"),
        (Submit(), Submit(), ""),
    ],
)
def test_effects_are_told_apart_by_tool_program_file_and_changed_lines(
    action: Action, expert: Action, why: str
) -> None:
    assert another_effect(action, step(expert)) == why


def test_programs_are_the_first_words_of_a_commands_parts() -> None:
    assert programs("cd /x && A=1 B=2 python -m pytest | tail -3; ls") == ("cd", "python", "tail", "ls")


def test_episodes_are_counted_by_what_they_earned_how_they_ended_and_how_long_they_are(run: Path, capsys: Any) -> None:
    def episode(update: int, stop: str, reward: float | None, *flags: str) -> dict[str, Any]:
        figures = {"reward": reward, "similarity": None, "status": "scored", "reason": "", "tokens": 10 + update}
        named = {"kind": "train", "step": update, "group": "t0#0", "reply": "...", "stop": stop, "turns": 2}
        return {**named, "flags": list(flags), **figures}

    stops = ("submitted", "turn_limit", "submitted", "infra")
    lines = [episode(n, stop, None if stop == "infra" else float(n == 2)) for n, stop in enumerate(stops)]
    lines.append(episode(9, "submitted", 1.0, "git_history"))
    found = audited(run, lines)
    assert (found["samples"], found["thoughts"]) == (0, {})
    (entry,) = found["episodes"].values()
    assert (entry["episodes"], entry["reward"], entry["flags"]) == (5, 0.5, {"git_history": 0.2})
    assert entry["stops"] == {"submitted": 0.6, "turn_limit": 0.2, "infra": 0.2}
    assert (entry["first_tokens"]["value"], entry["last_tokens"]["value"], entry["drift"]["value"]) == (10, 19, 1.0)
    assert "submitted 60%, turn_limit 20%, infra 20%" in capsys.readouterr().out


def test_a_run_on_mathematics_is_audited_for_copies_thoughts_and_outcomes(tmp_path: Path, capsys: Any) -> None:
    rows = [{"problem": f"p{n}", "solution": f"1. **A** {n}\n2. **B** \\boxed{{{n}}}"} for n in range(3)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "run"
    (folder / "1-sft").mkdir(parents=True)
    settings = RunSettings(
        data=DataSettings(domain="math", train=("data.jsonl",), heldout=("data.jsonl",)),
        prompt=PromptSettings(include_last=True),
    )
    (folder / "config.toml").write_text(config_to_toml(settings))
    (folder / "data.json").write_text(json.dumps({"base": str(tmp_path)}))
    sample = {"kind": "heldout", "step": 1, "group": "data/1#1", "expert": "", "similarity": 0.4}
    (folder / "1-sft/samples.jsonl").write_text(
        "".join(
            json.dumps({**sample, "reply": f"<think>a</think>{text}"}) + "\n" for text in ("1. **A** 0", "else", "")
        )
    )
    with RunFolder.open(tmp_path / "evaluation", {"policy": f"checkpoint:{folder}"}) as evaluation:
        for number in range(3):
            right = [f"<think></think>1. **A** {number}", f"<think></think>2. **B** \\boxed{{{number}}}"]
            for sample_number, replies in enumerate((right, ["<think></think>nonsense"])):
                key = f"data/{number}", sample_number
                evaluation.rollouts.append(key, {"replies": replies, "stop": "answered", "tokens": 1})
                grade = {"correct": sample_number == 0, "answer": str(number), "problem": problem_digest(f"p{number}")}
                evaluation.grades.append(key, grade)
    assert main(["audit", str(folder)]) == 0
    found = json.loads((folder / "audit.json").read_text())
    assert found["copies"]["1-sft heldout"]["first_half"] == 0.5
    assert found["thoughts"]["1-sft"]["replies"] == 2
    assert found["outcome"]["in_place"]["value"] == pytest.approx(1.0)
    assert (found["effects"], found["wrapper"]) == ({}, {})
    assert "6 rollouts of 3 tasks" in capsys.readouterr().out

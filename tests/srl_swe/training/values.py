"""Tasks that a small model learns in seconds: a value is wrong, one command mends it; with their expert's logs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from srl_swe_envs.actions import Shell, Submit
from srl_swe_envs.mutation import Mutant
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory, Turn, write_trajectories

NAMES = ("a", "b", "c")
PROMPTS = {
    "system": "act",
    "task": "{{ task.problem }}",
    "observation": "{{ observation.text }}",
    "malformed": "{{ reason }}",
    "prompt": "",
}
CONFIG = """\
stages = ["sft", "rlvr"]
report_to = []

[data]
train = ["train.jsonl"]
heldout = ["train.jsonl"]

[prompt]
folder = "prompts"
include_last = true

[model.tiny]
vocabulary = 420
hidden = 48
layers = 2
heads = 2

[rollout]
max_reply_tokens = 64

[sft]
batch = 6
max_steps = 60
learning_rate = 8e-3
schedule = "constant"
evaluate_every = 60
warmup = 0.1

[srl]
batch = 4
replies = 4
max_steps = 2
learning_rate = 1e-3
evaluate_every = 1
dynamic_sampling = false
keep_checkpoints = 4

[rlvr]
tasks = "tasks.jsonl"
heldout_tasks = "tasks.jsonl"
max_heldout_tasks = 1
backend = "local"
batch = 2
replies = 4
max_steps = 3
learning_rate = 2e-4
evaluate_every = 3
dynamic_sampling = false
keep_checkpoints = 4

[rlvr.episodes]
parallel = 4
max_turns = 4
max_malformed = 2
"""


def make_values(folder: Path) -> Path:
    """The folder with `run.toml`, its prompts, a repository with three tasks in `tasks.jsonl`, and their logs."""
    repository = folder / "values"
    (repository / "tests").mkdir(parents=True)
    tests = []
    for name in NAMES:
        (repository / f"{name}.py").write_text("VALUE = 1\n")
        tests.append(f"def test_{name}():\n    import {name}\n\n    assert {name}.VALUE == 1\n")
    (repository / "tests/test_values.py").write_text("\n\n".join(tests))
    with (folder / "tasks.jsonl").open("w") as file:
        for name in NAMES:
            mutant = Mutant(path=f"{name}.py", operator="number", function="", start=8, old="1", new="2")
            record = {"schema": "srl-swe/task/1", "repository": str(repository), "mutant": asdict(mutant)}
            file.write(json.dumps({**record, "task": _filled(task(name))}) + "\n")
    write_trajectories(folder / "train.jsonl", [trajectory(name) for name in NAMES])
    (folder / "prompts").mkdir()
    for name, text in PROMPTS.items():
        (folder / "prompts" / f"{name}.{'toml' if name == 'prompt' else 'md'}").write_text(text)
    (folder / "run.toml").write_text(CONFIG)
    return folder


def task(name: str) -> Task:
    """Value `name` is wrong."""
    others = tuple(f"tests/test_values.py::test_{other}" for other in NAMES if other != name)
    return Task(
        id=f"values-{name}",
        problem=f"{name}.py is wrong",
        test_command="python -m pytest",
        fail_to_pass=(f"tests/test_values.py::test_{name}",),
        pass_to_pass=others,
    )


def trajectory(name: str) -> Trajectory:
    """An expert who mends the value and leaves."""
    return Trajectory(
        id=f"t-{name}",
        task=task(name),
        turns=(
            Turn(
                thought="mend",
                action=Shell(command=f"sed -i s/2/1/ {name}.py"),
                observation=Observation(text="", exit_code=0),
            ),
            Turn(thought="go", action=Submit()),
        ),
        source="made_up",
        outcome="resolved",
    )


def _filled(made: Task) -> dict[str, object]:
    return {name: value for name, value in asdict(made).items() if value}

"""A run small enough for seconds: short made-up logs, a two-word prompt set, a model of a few thousand weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from srl_swe_envs.actions import Shell, Submit, View
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory, Turn, write_trajectories

CONFIG = """\
stages = ["sft", "srl"]
report_to = []

[data]
train = ["train.jsonl"]
heldout = ["heldout.jsonl"]

[prompt]
folder = "prompts"

[model.tiny]
vocabulary = 300
hidden = 48
layers = 2
heads = 2

[rollout]
max_reply_tokens = 48

[sft]
batch = 4
max_steps = 100
learning_rate = 5e-3
evaluate_every = 50
warmup = 0.1

[srl]
batch = 4
replies = 4
max_steps = 6
learning_rate = 1e-3
evaluate_every = 2
epsilon = 0.0001
keep_checkpoints = 4
"""


def trajectory(number: int) -> Trajectory:
    """An expert who looks, reads and leaves."""
    name = f"file{number % 3}.py"
    return Trajectory(
        id=f"t{number}",
        task=Task(id=f"task{number}", problem=f"{name} is wrong"),
        turns=(
            Turn(thought="look", action=Shell(command="ls"), observation=Observation(text=name, exit_code=0)),
            Turn(thought="read", action=View(path=name), observation=Observation(text="1 x", exit_code=0)),
            Turn(thought="go", action=Submit()),
        ),
        source="made_up",
        outcome="resolved",
    )


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A folder with `run.toml`, logs and prompts."""
    return filled(tmp_path)


@pytest.fixture(scope="module")
def shared_workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `workdir` for all tests of a file."""
    return filled(tmp_path_factory.mktemp("work"))


def filled(folder: Path) -> Path:
    """The folder with `run.toml`, logs and prompts in it."""
    write_trajectories(folder / "train.jsonl", [trajectory(number) for number in range(6)])
    write_trajectories(folder / "heldout.jsonl", [trajectory(number) for number in range(6, 8)])
    prompts = folder / "prompts"
    prompts.mkdir()
    for name, text in {
        "system": "act",
        "task": "{{ task.problem }}",
        "observation": "{{ observation.text }}",
        "malformed": "{{ reason }}",
    }.items():
        (prompts / f"{name}.md").write_text(text)
    (prompts / "prompt.toml").write_text("")
    (folder / "run.toml").write_text(CONFIG)
    return folder

"""Record the example logs: `python -m srl_swe.demo.record [--split SPLIT] [--out FOLDER] [--workers N]`.

The scripted expert solves every demo task in a local workspace, and each run is written in one of four log formats:
most as SWE-smith rows, some as SWE-agent, mini-swe-agent and OpenHands files. Train tasks go to `train/`, the tasks
of the held-out packages to `held_out/`. Recording again gives the same bytes: nothing in the logs depends on time,
machine or chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from srl_swe_envs.actions import Shell
from srl_swe_envs.demo import DemoTask, demo_task, load_demo_tasks
from srl_swe_envs.demo.expert import Expert, solve
from srl_swe_envs.demo.workspace import DemoWorkspace
from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.tools import Tools

from ..logs.writers import Recording, text_of_json, to_mini_v2, to_openhands_v0, to_swe_agent, to_swe_smith

EXPERT = "scripted-expert"
EXAMPLES = Path(__file__).resolve().parents[2] / "trajectories" / "examples"

Split: TypeAlias = Literal["train", "held_out"]
SPLITS: tuple[Split, ...] = ("train", "held_out")
Format: TypeAlias = Literal["swe_smith", "swe_agent", "mini_v2", "openhands_v0"]
_EVERY = 24
_OTHERS: dict[int, Format] = {5: "swe_agent", 11: "openhands_v0", 17: "mini_v2"}
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A task and the format that its run is written in."""

    task_id: str
    format: Format


def assignments(split: Split) -> list[Assignment]:
    """Tasks of a split with their formats: by position, and held-out ones all as SWE-smith rows."""
    chosen = []
    for position, task in enumerate(load_demo_tasks(split)):
        log_format = _OTHERS.get(position % _EVERY, "swe_smith") if split == "train" else "swe_smith"
        if log_format == "mini_v2" and not Expert(demo_task(task.id)).can_use_shell_alone():
            log_format = "swe_smith"
        chosen.append(Assignment(task_id=task.id, format=log_format))
    return chosen


def record(assignment: Assignment) -> Recording:
    """Let the expert solve a task in a fresh workspace, or in a second one. Raises WorkspaceError if both fail."""
    try:
        return _record(assignment)
    except WorkspaceError as error:
        print(f"{assignment.task_id}: {error}; once more", file=sys.stderr)
        return _record(assignment)


def _record(assignment: Assignment) -> Recording:
    """One attempt; WorkspaceError also when the tests do not pass in the end."""
    demo: DemoTask = demo_task(assignment.task_id)
    with DemoWorkspace(demo.task) as workspace:
        tools = Tools.on(workspace, workdir=demo.task.workdir, timeout_s=_TIMEOUT_S)
        turns = solve(demo, tools, shell_only=assignment.format == "mini_v2")
        suites = [turn for turn in turns if turn.action == Shell(command=demo.task.test_command)]
        resolved = all(turn.observation is not None and turn.observation.exit_code == 0 for turn in suites)
        if not suites or not resolved:
            raise WorkspaceError(f"the expert's fix of {demo.task.id} does not pass the tests")
        return Recording(task=demo.task, turns=turns, patch=workspace.diff(), resolved=True, agent=EXPERT)


def write_examples(folder: Path, recordings: Iterable[tuple[Assignment, Recording]]) -> None:
    """Write the files of one split."""
    rows: dict[str, list[str]] = {}
    for assignment, recording in recordings:
        match assignment.format:
            case "swe_smith":
                rows.setdefault("swe_smith.jsonl", []).append(text_of_json(to_swe_smith(recording)))
            case "openhands_v0":
                rows.setdefault("openhands/output.jsonl", []).append(text_of_json(to_openhands_v0(recording)))
            case "swe_agent":
                _write(folder / "swe_agent" / f"{recording.task.id}.traj", to_swe_agent(recording))
            case "mini_v2":
                _write(folder / "mini_swe_agent" / f"{recording.task.id}.traj.json", to_mini_v2(recording))
    for name, lines in rows.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(lines), encoding="utf-8")


def record_all(
    chosen: Sequence[Assignment], *, workers: int, report: Callable[[int, Recording], None]
) -> Iterator[tuple[Assignment, Recording]]:
    """Recordings in the order of `chosen`, made by several processes; `report` hears of each."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for position, (assignment, recording) in enumerate(zip(chosen, pool.map(record, chosen), strict=True)):
            report(position, recording)
            yield assignment, recording


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Record the example logs of the scripted expert.")
    parser.add_argument("--out", type=Path, default=EXAMPLES, help="folder to write to")
    parser.add_argument("--workers", type=int, default=2, help="workspaces at one time")
    parser.add_argument("--split", choices=SPLITS, help="record this part alone")
    arguments = parser.parse_args()
    for split in [arguments.split] if arguments.split else SPLITS:
        chosen = assignments(split)

        def report(position: int, recording: Recording, total: int = len(chosen), name: str = split) -> None:
            line = f"{name} {position + 1}/{total}: {recording.task.id} in {len(recording.turns)} turns"
            print(line, file=sys.stderr)

        write_examples(arguments.out / split, record_all(chosen, workers=arguments.workers, report=report))


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of_json(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

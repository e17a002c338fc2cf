"""Makes a seed's start, and runs one cell: trains the arm from it, measures what came out, keeps a file of figures.

Everything is done by the commands that a user has (`srl-swe train`, `evaluate`, `evaluate-math`), each in a folder of
its own in the work directory; a cell that was killed goes on in them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srl_swe_envs.demo import load_demo_tasks

from .arms import BY_NAME, EXPERTS, UPDATES, Arm, Cell, Domain
from .experts import write_experts, write_held_out_problems

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TURN_TOKENS = "160"
"""Longest reply on the tasks, as in `swe.toml`."""
_LONGEST = "rollout.max_reply_tokens"
ANSWERS = 4
"""Sampled attempts at each held-out problem, besides the greedy one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Where the study works and where it keeps its figures.

    share: of the compute that is used; tasks: held-out tasks that a model is set loose on, evenly spread;
    steps: held-out steps that are measured, 0 for the configuration's number.
    """

    work: Path
    results: Path
    share: float = 1.0
    tasks: int = 12
    steps: int = 0

    def result(self, cell: Cell) -> Path:
        """A cell's figures; the file is there once the cell is done."""
        return self.results / f"{cell.name}.json"

    def make_start(self, domain: Domain, seed: int) -> None:
        """Train the model that a seed's cells begin with; one that is there is checked to be of this configuration."""
        self.work.mkdir(parents=True, exist_ok=True)
        steps = max(2, round(UPDATES[domain]["start"] * self.share))
        experts = write_experts(domain, self.work, count=0, seed=seed)
        sets = {"stages": '["sft"]', "sft.max_steps": steps, "sft.evaluate_every": steps}
        self._train(domain, self._start(domain, seed), seed, experts, sets)

    def run(self, cell: Cell) -> None:
        """Run a cell that is not done; its start has to be made."""
        self.results.mkdir(parents=True, exist_ok=True)
        start = self._start(cell.domain, cell.seed)
        trained, arm = start, BY_NAME.get(cell.arm)
        resumed = (self.work / cell.name).exists()
        began = _child_cpu_s()
        if arm is not None:
            trained = self._arm(cell, arm, start)
        found = {
            **asdict(cell),
            "share": self.share,
            "train_cpu_s": None if resumed else round(_child_cpu_s() - began, 1),  # a killed run took its count along
            "signal": _signal(trained),
            "heldout": None if cell.arm == "one_step" else _heldout(trained),
            "outcome": self._outcome(cell, trained),
        }
        path = self.result(cell)
        path.with_suffix(".part").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".part").rename(path)

    def _start(self, domain: Domain, seed: int) -> Path:
        return self.work / f"{domain}-start-{seed}"

    def _arm(self, cell: Cell, arm: Arm, start: Path) -> Path:
        out = self.work / cell.name
        experts = write_experts(cell.domain, self.work, count=cell.experts, seed=cell.seed)
        sets: dict[str, Any] = {"stages": json.dumps(arm.stages), "model.path": _quoted(_model(start)), **arm.sets}
        for stage, updates in arm.updates(cell.domain, self.share).items():
            sets |= {f"{stage}.max_steps": updates, f"{stage}.evaluate_every": updates}
        self._train(cell.domain, out, cell.seed, experts, sets)
        return out

    def _train(self, domain: Domain, out: Path, seed: int, experts: Path, sets: Mapping[str, Any]) -> None:
        everywhere: dict[str, Any] = {"data.train": json.dumps([str(experts)]), "seed": seed, "report_to": "[]"}
        if domain == "math":
            held_out = write_held_out_problems(self.work)
            everywhere["data.heldout"] = json.dumps([str(held_out)])
        if self.steps:
            everywhere["data.heldout_steps"] = self.steps
        given = [part for key, value in {**everywhere, **sets}.items() for part in ("--set", f"{key}={value}")]
        _srl_swe("train", str(HERE / f"{domain}.toml"), "--out", str(out), *given, log=out)

    def _outcome(self, cell: Cell, trained: Path) -> dict[str, float] | None:
        """Success on held-out tasks or problems; the curve's other sizes are measured by held-out steps alone."""
        if cell.experts not in (0, EXPERTS[cell.domain]):
            return None
        return self._answers(cell, trained) if cell.domain == "math" else self._resolved(cell, trained)

    def _resolved(self, cell: Cell, trained: Path) -> dict[str, float]:
        """Greedy episodes on some held-out tasks: the share resolved."""
        out = self.work / f"{cell.name}-resolved"
        tasks = load_demo_tasks("held_out")
        chosen = [tasks[(2 * i + 1) * len(tasks) // (2 * self.tasks)].id for i in range(self.tasks)]
        arm = BY_NAME.get(cell.arm)
        longest = arm.sets.get(_LONGEST, TURN_TOKENS) if arm else TURN_TOKENS  # a whole solution takes more than a turn
        limits = ("--max-turns", "14", "--max-tokens", longest, "--workers", str(self.tasks), "--workspace", "local")
        policy = ("--policy", f"checkpoint:{trained}", "--no-selfcheck", "--seed", str(cell.seed))
        _srl_swe("evaluate", "--ids", *chosen, *policy, *limits, "--out", str(out), log=out)
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        rate = report["resolve_rate"]["raw"]
        effort = report["effort"]
        return {
            "success": rate["rate"],
            "tasks": rate["tasks_graded"],
            "well_formed": effort["format_compliance_rate"],
            "empty_patches": effort["empty_patch_rate"],
        }

    def _answers(self, cell: Cell, trained: Path) -> dict[str, float]:
        """Attempts at the held-out problems: the share of right answers, sampled and greedy."""
        out = self.work / f"{cell.name}-answers"
        problems = write_held_out_problems(self.work)
        policy = ("--policy", f"checkpoint:{trained}", "--k", str(ANSWERS), "--seed", str(cell.seed))
        _srl_swe("evaluate-math", str(problems), *policy, "--max-tokens", "256", "--out", str(out), log=out)
        (found,) = json.loads((out / "report.json").read_text(encoding="utf-8"))["sets"].values()
        return {
            "success": found["accuracy"][f"avg@{ANSWERS}"]["value"],
            "greedy": found["accuracy"]["greedy"]["value"],
            "tasks": found["problems"],
        }


def _heldout(trained: Path) -> dict[str, float]:
    """Held-out figures of what the run chose: its last stage's end, or where that began when the end was worse."""
    found: dict[str, float] = _summary(trained)["stages"][-1]["heldout"]
    return found


def _signal(trained: Path) -> dict[str, float]:
    """Groups sampled and kept in the run's RLVR stage, if it has one."""
    groups = kept = 0.0
    for stage in trained.glob("*-rlvr"):
        for line in (stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            groups += record.get("sampling/groups", 0.0)
            kept += record.get("sampling/kept", 0.0)
    return {"groups": groups, "kept": kept} if groups else {}


def _model(run: Path) -> str:
    return str(Path(_summary(run)["model"]).resolve())


def _summary(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return found


def _quoted(text: str) -> str:
    return json.dumps(text)


def _srl_swe(*arguments: str, log: Path) -> None:
    """Run a command on one thread, its output in a file beside its folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command: Sequence[str] = [sys.executable, "-m", "srl_swe", *arguments]
    with log.with_name(f"{log.name}.log").open("ab") as file:
        subprocess.run(command, env=environment, stdout=file, stderr=file, check=True, cwd=ROOT)


def _child_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

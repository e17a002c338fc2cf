"""The whole of `srl-swe evaluate-math`: from its options to a report, resumable."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...conversations import Message
from ...domains.math.checking import AnswerChecker
from ...domains.math.prompts import Layout, load_math_prompts
from ...domains.math.solutions import problem_digest
from ...policies.protocol import Completion, Policy, Sampling
from ..sources import ModelOptions, open_policy
from ..store import RunFolder, write_atomically
from .problems import Problem, read_problems
from .report import Result, make_report, report_text
from .solving import Attempt, Solve, Solving, solve_all
from .trained import with_trained_run


@dataclass(frozen=True, slots=True, kw_only=True)
class MathOptions:
    """What the command line says."""

    files: tuple[Path, ...]
    policy: str
    out: Path
    k: int = 0
    """Samples of each problem beside the greedy attempt; 0 is greedy alone."""
    greedy_only: tuple[str, ...] = ("minerva_math",)
    """Sets that are not sampled, as in the paper's tables."""
    temperature: float = 1.0
    """Of the samples."""
    top_p: float = 1.0
    max_tokens: int = 4096
    """Longest reply."""
    seed: int = 0
    limit: int = 0
    solve: Solve | None = None
    """None: as the run was trained that the policy names; `whole` for any other model."""
    layout: Layout | None = None
    """None: likewise; `partial` for any other model."""
    last_steps: int | None = None
    """For `steps`: how many of the steps so far are shown, as the run was trained; None shows all."""
    untold_titles: bool = False
    """The run was shown each coming step's title (`math.next_title`), which nobody knows here."""
    max_steps: int = 24
    prompts: Path | None = None
    at_once: int = 16
    """Problems that are asked together; a batch is done whole or not at all, so that a resume changes no draw."""
    model: ModelOptions = field(default_factory=ModelOptions)
    learned: frozenset[str] = frozenset()
    """Digests of the problems that the model was trained on, as far as its run tells."""

    def record(self) -> dict[str, Any]:
        """What decides the numbers; a folder is for one such record."""
        names = ("policy", "k", "temperature", "top_p", "max_tokens", "seed", "limit", "solve", "layout", "max_steps")
        settings = {name: getattr(self, name) for name in (*names, "at_once")}
        settings |= {"files": [str(file) for file in self.files], "greedy_only": list(self.greedy_only)}
        settings |= {"last_steps": self.last_steps} if self.last_steps is not None else {}
        return settings | {"prompts": str(self.prompts) if self.prompts else "", "model": self.model.model}


def run_command(options: MathOptions) -> int:
    """Evaluate and report. Raises ConfigError, PolicyError."""
    options = with_trained_run(options)
    problems = read_problems(options.files, limit=options.limit)
    how = Solving(
        prompts=load_math_prompts(options.prompts),
        solve=options.solve or "whole",
        layout=options.layout or "partial",
        last_steps=options.last_steps,
        max_steps=options.max_steps,
    )
    kind, _, place = options.policy.partition(":")
    with (
        RunFolder.open(options.out, options.record()) as folder,
        AnswerChecker() as checker,
        open_policy(kind, place, options.model) as policy,
        ThreadPoolExecutor(max_workers=options.at_once) as pool,
    ):
        for sample in range(options.k + 1):
            wanted = [problem for problem in problems if not sample or problem.set not in options.greedy_only]
            for start in range(0, len(wanted), options.at_once):
                batch = wanted[start : start + options.at_once]
                _batch(batch, sample, how, _ask(policy, pool, _sampling(options, sample)), checker, folder)
        report = make_report(_results(problems, options, folder), options.record(), checker.timeouts)
        report["trained_on"] = [problem.key for problem in problems if problem_digest(problem.text) in options.learned]
        write_atomically(options.out / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(report_text(report))
    if options.untold_titles:
        print("the model learned steps whose titles it was shown (math.next_title); here it had to go without them")
    if report["trained_on"]:
        print(f"{len(report['trained_on'])} of these problems were training problems: the figures mean little")
    print(f"report: {options.out / 'report.json'}")
    return 0


def _sampling(options: MathOptions, sample: int) -> Sampling:
    temperature = options.temperature if sample else 0.0
    seed = options.seed * 1_000_003 + sample
    return Sampling(temperature=temperature, top_p=options.top_p, max_tokens=options.max_tokens, seed=seed)


def _ask(
    policy: Policy, pool: ThreadPoolExecutor, sampling: Sampling
) -> Callable[[Sequence[Sequence[Message]]], Sequence[Completion]]:
    """Many conversations at once: as one batch where the model is here, as many requests where it is a server."""
    together = getattr(policy, "complete_batch", None)
    if together is not None:
        return lambda conversations: together(conversations, sampling)
    return lambda conversations: list(pool.map(lambda messages: policy.complete(messages, sampling), conversations))


def _batch(
    batch: Sequence[Problem],
    sample: int,
    how: Solving,
    ask: Callable[[Sequence[Sequence[Message]]], Sequence[Completion]],
    checker: AnswerChecker,
    folder: RunFolder,
) -> None:
    """Solve and grade the problems of one batch, unless all of them are done."""
    if all((problem.key, sample) in folder.grades.records for problem in batch):
        return
    attempts = solve_all([problem.text for problem in batch], how, ask)
    for problem, attempt in zip(batch, attempts, strict=True):
        folder.rollouts.append((problem.key, sample), _record(attempt))
    for problem, attempt in zip(batch, attempts, strict=True):
        right = checker.correct(attempt.text, problem.answer)
        grade = {"correct": right, "answer": problem.answer, "problem": problem_digest(problem.text)}
        folder.grades.append((problem.key, sample), grade)
    right_ones = sum(folder.grades.records[problem.key, sample]["correct"] for problem in batch)
    kind = f"sample {sample}" if sample else "greedy"
    print(f"{kind}: {batch[0].key} to {batch[-1].key}: {right_ones} of {len(batch)} right", file=sys.stderr, flush=True)


def _record(attempt: Attempt) -> dict[str, Any]:
    tokens = sum(reply.completion_tokens for reply in attempt.replies)
    return {"replies": [reply.text for reply in attempt.replies], "stop": attempt.stop, "tokens": tokens}


def _results(problems: Sequence[Problem], options: MathOptions, folder: RunFolder) -> list[Result]:
    found = []
    for problem in problems:
        for sample in range(options.k + 1):
            grade = folder.grades.records.get((problem.key, sample))
            if grade is not None:
                rollout = folder.rollouts.records[problem.key, sample]
                found.append(
                    Result(
                        set=problem.set,
                        problem=problem.id,
                        sample=sample,
                        correct=grade["correct"],
                        stop=rollout["stop"],
                        tokens=rollout["tokens"],
                    )
                )
    return found

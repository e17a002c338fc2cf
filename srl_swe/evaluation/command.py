"""The whole of `srl-swe evaluate`: from its options to a report."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import SrlSweError, WorkspaceError
from srl_swe_envs.workspaces.protocol import WorkspaceLimits
from srl_swe_envs.workspaces.reaper import reap

from ..prompts import load_prompts
from .checked_machines import has_been_checked, remember_check
from .contamination import contamination
from .grading import DemoGrader, Grader, OutcomeName, RowGrader
from .grading_container import GradingLimits, StopSignal
from .items import Item, load_items
from .official import differences, run_official
from .options import Options
from .patch_sources import PatchSource
from .protocols import Protocol
from .protocols.agent import AgentProtocol
from .protocols.agentless_mini import AgentlessMiniProtocol
from .protocols.oracle import OracleProtocol
from .pulls import Images
from .regrade import regrade
from .report import ReportInput, Sample, make_report
from .run import Outage, Plan, evaluate, stored_grade, stored_rollout
from .schedule import worker_count
from .selfcheck import selfcheck
from .sources import asks_a_model, check_policy, open_source
from .specs import read_specs
from .store import RunFolder, StoreError, write_atomically
from .terminal import report_text
from .trained import with_trained_run
from .workspaces import Workspaces, choose_backend


def run_command(options: Options) -> int:
    """Evaluate and report; 0 when every task was graded and the checks held, 1 otherwise."""
    check_policy(options.policy)
    options = with_trained_run(options)
    items = load_items(options.tasks, read_specs(options.specs), ids=options.ids, limit=options.limit)
    with RunFolder.open(options.out, options.record()) as folder:
        given = ReportInput(settings=options.record(), prices=options.prices)
        if options.trained_in is not None:
            given = replace(given, contamination=contamination(options.trained_in, items))
        if options.regrade:
            for key, before, now in regrade(items, folder, options.samples):
                _say(f"{key[0]} #{key[1]}: {before.outcome} before, {now.outcome} now")
            given = replace(given, **_kept(options.out))
        else:
            given = _run(items, options, folder, given)
        report = _write_report(items, options, folder, given)
    print(report_text(report))
    print(f"report: {options.out / 'report.json'}")
    good = report["trusted"] and not report["not_graded"] and not (given.official or {}).get("differences")
    return 0 if good else 1


def _run(items: tuple[Item, ...], options: Options, folder: RunFolder, given: ReportInput) -> ReportInput:
    _reap()
    backend = choose_backend(options.workspace, items, said=_say)
    workers = worker_count(options.workers)
    limits = WorkspaceLimits(memory_bytes=options.memory_bytes, cpus=1.0)
    images = Images(cache=options.cache, said=_say)
    stop = StopSignal()
    with Workspaces(backend=backend, run=options.out.name, limits=limits).ready() as workspaces:
        if backend == "docker":
            images.preflight([item.task.image for item in items])
        given = replace(given, selfcheck=_selfcheck(items, options, workspaces, images))
        with _source(options, workspaces) as source:
            plan = Plan(
                source=source,
                grader=_grader(items, options, workspaces, stop),
                samples=options.samples,
                workers=workers,
                held=images.held if backend == "docker" else _nothing_held,
            )
            given = replace(given, quirks=_quirks(options, workspaces))
            try:
                evaluate(items, plan, folder, stop=stop, said=_say)
            except (Outage, StoreError, KeyboardInterrupt) as error:
                _report_stopped(items, options, folder, given, error)
                raise
    if options.official:
        given = replace(given, official=_official(items, options, folder, workers))
    return given


@contextlib.contextmanager
def _nothing_held(image: str) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _source(options: Options, workspaces: Workspaces) -> Iterator[PatchSource]:
    model = replace(options.model, vllm_log=options.out / "vllm.log")
    with open_source(
        options.policy, model, lambda: _protocol(options, workspaces), options.sampling, seed=options.seed
    ) as source:
        yield source


def _protocol(options: Options, workspaces: Workspaces) -> Protocol:
    opener = workspaces.open_for_agent
    if options.protocol == "oracle":
        return OracleProtocol(open_workspace=opener, thinking=options.thinking)
    if options.protocol == "agentless-mini":
        return AgentlessMiniProtocol(open_workspace=opener, thinking=options.thinking)
    return AgentProtocol(
        open_workspace=opener,
        prompts=load_prompts(
            options.model.dialect,
            folder=options.prompts,
            observation_chars=options.observation_chars,
            several=options.several,
        ),
        limits=options.episode,
        command_timeout_s=options.command_timeout_s,
        last_rounds=options.last_rounds,
    )


def _quirks(options: Options, workspaces: Workspaces) -> tuple[str, ...]:
    return _protocol(options, workspaces).quirks if asks_a_model(options.policy) else ()


def _grader(items: tuple[Item, ...], options: Options, workspaces: Workspaces, stop: StopSignal) -> Grader:
    if all(item.row is None for item in items):
        return DemoGrader(open_workspace=workspaces.open, timeout_s=min(options.test_timeout_s, 300.0))
    return RowGrader(
        limits=GradingLimits(timeout_s=options.test_timeout_s, memory_bytes=options.memory_bytes),
        hardened=options.hardened,
        open_workspace=workspaces.open,
        run=options.out.name,
        stop=stop,
    )


def _selfcheck(items: tuple[Item, ...], options: Options, workspaces: Workspaces, images: Images) -> dict[str, Any]:
    """The checks' entry: run now, kept from an earlier run of this folder, or not run."""
    rows = any(item.row is not None for item in items)
    kept: dict[str, Any] = _kept(options.out).get("selfcheck", {"status": "not_run", "checks": []})
    if options.selfcheck is False or not items:
        return kept
    if options.selfcheck is None and (kept["checks"] or has_been_checked(workspaces.backend, rows=rows)):
        return kept if kept["checks"] else {"status": "passed_before", "checks": []}
    grader = _grader(items, replace(options, hardened="always"), workspaces, StopSignal())
    chosen = items[: max(1, options.selfcheck_tasks)]
    with contextlib.ExitStack() as stack:
        if workspaces.backend == "docker":
            for item in chosen:
                stack.enter_context(images.held(item.task.image))
        found = selfcheck(chosen, grader, workspaces.open, options.out / "selfcheck", said=_say)
    write_atomically(options.out / "selfcheck.json", json.dumps(found, indent=2) + "\n")
    if found["status"] == "passed":
        remember_check(workspaces.backend, rows=rows)
    return found


def _kept(out: Path) -> dict[str, Any]:
    """What earlier runs of the same folder found out."""
    path = out / "selfcheck.json"
    return {"selfcheck": json.loads(path.read_text(encoding="utf-8"))} if path.exists() else {}


def _official(items: tuple[Item, ...], options: Options, folder: RunFolder, workers: int) -> dict[str, Any]:
    rows = [item.row for item in items if item.row is not None]
    if not rows:
        raise WorkspaceError("--official: demo tasks are not swebench's; give rows of a data set")
    samples = collect(items, folder, options.samples)
    predictions = _write_predictions(options, samples)
    found = run_official(rows, predictions, options.out / "official", workers=workers, timeout_s=options.test_timeout_s)
    ours: dict[str, OutcomeName] = {
        s.item.task.id: s.grade.outcome for s in samples if s.number == 0 and s.grade is not None
    }
    unlike = differences(found, ours)
    return {"outcomes": found.outcomes, "differences": list(unlike), "folder": str(found.folder)}


def collect(items: tuple[Item, ...], folder: RunFolder, samples: int) -> tuple[Sample, ...]:
    """Every task and sample as the folder has them."""
    return tuple(
        Sample(
            item=item,
            number=number,
            grade=stored_grade(folder, (item.task.id, number)),
            rollout=stored_rollout(folder, (item.task.id, number)),
        )
        for item in items
        for number in range(samples)
    )


def _write_report(items: tuple[Item, ...], options: Options, folder: RunFolder, given: ReportInput) -> dict[str, Any]:
    samples = collect(items, folder, options.samples)
    _write_predictions(options, samples)
    report = make_report(samples, given)
    write_atomically(options.out / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return report


def _write_predictions(options: Options, samples: tuple[Sample, ...]) -> Path:
    """`predictions.jsonl` of sample 0 in swebench's form, and one file per further sample; gives the first's path."""
    first = options.out / "predictions.jsonl"
    for number in range(options.samples):
        lines = [
            json.dumps(
                {
                    "instance_id": sample.item.task.id,
                    "model_name_or_path": sample.rollout.policy,
                    "model_patch": sample.rollout.patch,
                }
            )
            for sample in samples
            if sample.number == number and sample.rollout is not None
        ]
        path = first if number == 0 else options.out / f"predictions.sample-{number}.jsonl"
        write_atomically(path, "".join(f"{line}\n" for line in lines))
    return first


def _report_stopped(
    items: tuple[Item, ...], options: Options, folder: RunFolder, given: ReportInput, error: BaseException
) -> None:
    """A report of what there is; a disk that is full may not take even that."""
    reason = str(error) or "interrupted"
    with contextlib.suppress(StoreError):
        _write_report(items, options, folder, replace(given, stopped=reason))


def _reap() -> None:
    """Remove what killed runs left; an engine that does not answer is noticed where one is needed."""
    with contextlib.suppress(SrlSweError):
        report = reap()
        if report.removed:
            _say(f"removed what a killed run had left: {report.removed} containers, images or folders")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

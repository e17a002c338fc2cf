"""`srl-swe tasks list|show|validate|make`: look at task sets, check them, make one from a repository with tests."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task

from ..bounds import Count, CountOrNone, Positive, Seed, option

_SET = "demo, demo:train, demo:heldout, a file that `tasks make` wrote, or rows of a SWE-bench data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `srl-swe tasks`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line for each task")
    listing.add_argument("set", metavar="SET", help=_SET)
    listing.add_argument("--json", action="store_true", help="whole tasks as JSON Lines")
    showing = actions.add_parser("show", help="one task in full")
    showing.add_argument("set", metavar="SET", help=_SET)
    showing.add_argument("id", metavar="ID")
    showing.add_argument("--gold", action="store_true", help="also the reference fix")
    checking = actions.add_parser("validate", help="refuse tasks whose gold patch fails or whose empty patch passes")
    checking.add_argument("set", metavar="SET", help=_SET)
    checking.add_argument("--id", action="append", default=[], help="only this task; may be repeated")
    checking.add_argument("--limit", type=option(CountOrNone), default=0, metavar="N", help="only the first N tasks")
    checking.add_argument(
        "--timeout", type=option(Positive), default=1800.0, metavar="S", help="seconds for one test run"
    )
    checking.add_argument("--json", action="store_true", help="one JSON object for each task")
    making = actions.add_parser("make", help="plant bugs in a repository that its tests notice")
    making.add_argument("repository", type=Path, metavar="REPOSITORY", help="folder with Python code and passing tests")
    making.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where the tasks go (JSON Lines)")
    making.add_argument("--limit", type=option(Count), default=20, metavar="N", help="how many tasks at most (20)")
    making.add_argument("--seed", type=option(Seed), default=0)
    making.add_argument(
        "--timeout", type=option(Positive), default=60.0, metavar="S", help="seconds for one test run (60)"
    )
    making.add_argument("--path", action="append", default=[], help="only this file gets bugs; may be repeated")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; `validate` returns 1 when a task is refused."""
    return {"list": _list, "show": _show, "validate": _validate, "make": _make}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from ..task_sets import open_task_set

    with open_task_set(args.set) as tasks:
        for task in tasks.tasks:
            print(json.dumps(_record(task), ensure_ascii=False) if args.json else _line(task))
    return 0


def _show(args: argparse.Namespace) -> int:
    from ..task_sets import open_task_set

    with open_task_set(args.set) as tasks:
        task = tasks.task(args.id)
    print(f"{task.id}\nrepository: {task.repo}{f' at {task.base_commit}' if task.base_commit else ''}")
    print(f"workspace: {task.image or 'local sandbox'}, {task.workdir}\ntests: {task.test_command or 'none said'}")
    for name, tests in (("must turn to pass", task.fail_to_pass), ("must still pass", task.pass_to_pass)):
        print(f"{name} ({len(tests)}):" + "".join(f"\n  {test}" for test in tests))
    print(f"\n{task.problem.rstrip()}")
    if args.gold:
        print(f"\n{task.gold_patch.rstrip()}")
    return 0


def _validate(args: argparse.Namespace) -> int:
    from srl_swe_envs.outcome import validate_tasks

    from ..task_sets import open_task_set

    refused = count = 0
    with open_task_set(args.set) as tasks:
        chosen: Sequence[Task] = [tasks.task(name) for name in args.id] or tasks.tasks
        chosen = chosen[: args.limit] if args.limit else chosen
        for check in validate_tasks(chosen, tasks.open_workspace, timeout_s=args.timeout):
            count += 1
            refused += not check.ok
            if args.json:
                print(json.dumps({"task": check.task, "ok": check.ok, "problems": check.problems}), flush=True)
            else:
                print(f"{check.task}: {'ok' if check.ok else 'refused: ' + '; '.join(check.problems)}", flush=True)
    print(f"{count - refused} of {count} tasks can be used", file=sys.stderr)
    return 1 if refused else 0


def _make(args: argparse.Namespace) -> int:
    from srl_swe_envs.mutation import Mutant, MutantTask, make_tasks

    from ..task_sets import write_made_tasks

    repository = args.repository.resolve()
    if not repository.is_dir():
        raise ConfigError(f"{args.repository} is not a folder: give the repository to plant bugs in")
    tried = 0

    def tell(mutant: Mutant, task: MutantTask | None) -> None:
        nonlocal tried
        tried += 1
        seen = f"noticed by {len(task.fail_to_pass)} tests" if task else "not usable"
        print(f"{tried}: {mutant.path} {mutant.function} {mutant.operator}: {seen}", file=sys.stderr)

    tasks = make_tasks(
        repository, limit=args.limit, seed=args.seed, timeout_s=args.timeout, paths=args.path, on_mutant=tell
    )
    count = write_made_tasks(args.out, repository, tasks)
    print(f"{args.out}: {count} tasks from {tried} planted bugs")
    return 0 if count else 1


def _line(task: Task) -> str:
    title = next((line for line in task.problem.splitlines() if line.strip()), "")
    return f"{task.id}\t{len(task.fail_to_pass)} failing, {len(task.pass_to_pass)} passing\t{title[:80]}"


def _record(task: Task) -> dict[str, object]:
    return {name: value for name, value in asdict(task).items() if value}

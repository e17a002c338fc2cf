"""`srl-swe step`: step the world by hand, from a terminal or a pipe.

A line is a reply or a command. A line that begins with `{` or `"` is JSON: a reply as text, `{"reply": TEXT}` or
`{"thought": TEXT, "action": {"kind": "Shell", "command": ...}}`. Any other line is a shell command, or one of
`:expert` (take the expert's action), `:submit`, `:view PATH [FIRST LAST]`, `:reset`, `:help` and `:quit`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from srl_swe_envs.actions import Action, Shell, Submit, View
from srl_swe_envs.dialects import DIALECTS, Reply, render_reply
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.swe_env import Mode, SweEnv
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Trajectory, action_from_json, read_trajectories
from srl_swe_envs.workspaces.protocol import Workspace

from ..bounds import CountOrNone, Positive, option

_HELP = (__doc__ or "").partition("\n\n")[2].strip()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `srl-swe step`."""
    parser.add_argument(
        "source",
        metavar="TASK_OR_TRAJECTORY",
        help="a canonical trajectory file (`srl-swe ingest` writes one), a task set (demo, a file of tasks), or `tiny`",
    )
    parser.add_argument("--id", help="which task or trajectory of it (the first)")
    parser.add_argument("--mode", choices=("replay", "live", "fork"), help="replay for trajectories, live for tasks")
    parser.add_argument(
        "--tasks", metavar="SET", help="where the tasks of the trajectories are opened, for live and fork"
    )
    parser.add_argument(
        "--fork-step", type=option(CountOrNone), default=0, metavar="K", help="after how many of the expert's turns"
    )
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="xml", help="how replies are written (xml)")
    parser.add_argument(
        "--timeout", type=option(Positive), default=60.0, metavar="S", help="seconds for one command (60)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each step, nothing else")
    parser.epilog = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    """Step until the input ends, or the episode does and no terminal is there to ask for another."""
    with ExitStack() as stack:
        source, open_workspace = _source(args, stack)
        mode: Mode = args.mode or ("live" if isinstance(source, Task) else "replay")
        env = SweEnv((source,), mode=mode, dialect=args.dialect, open_workspace=open_workspace, timeout_s=args.timeout)
        stack.callback(env.close)
        options = {"fork_step": args.fork_step} if mode == "fork" else {}
        return _Session(env, options, as_json=args.json).run(_lines())


class _Session:
    """One person's, or one pipe's, way through episodes."""

    def __init__(self, env: SweEnv, options: dict[str, int], *, as_json: bool) -> None:
        self._env, self._options, self._json = env, options, as_json
        self._over = False

    def run(self, lines: Iterator[str]) -> int:
        self._reset()
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == ":quit":
                break
            if words[0] == ":help":
                print(_HELP, file=sys.stderr)
            elif words[0] == ":reset":
                self._reset()
            elif self._over:
                print("the episode is over: :reset begins another, :quit leaves", file=sys.stderr)
            else:
                self._step(line, words)
            if self._over and not sys.stdin.isatty():
                break
        return 0

    def _reset(self) -> None:
        observation, info = self._env.reset(options=dict(self._options))
        self._over = False
        self._tell({"observation": observation, "info": info}, f"[{info['task']}, step {info['step']}]")

    def _step(self, line: str, words: list[str]) -> None:
        try:
            reply = self._reply(line, words)
        except ConfigError as error:
            if not sys.stdin.isatty():
                raise
            print(error, file=sys.stderr)
            return
        observation, reward, terminated, truncated, info = self._env.step(reply)
        self._over = terminated or truncated
        ended = {"terminated": terminated, "truncated": truncated}
        record = {"observation": observation, "reward": reward, **ended, "info": info}
        end = " terminated" if terminated else " truncated" if truncated else ""
        reason = f" ({info['reason']})" if "reason" in info else ""
        self._tell(record, f"[step {info['step']}: {info['status']}{reason}, reward {reward:.3f}{end}]")

    def _reply(self, line: str, words: list[str]) -> str:
        """The raw reply that a line stands for."""
        if line.lstrip()[0] in '{"':
            return self._from_json(line)
        match words:
            case [":expert"]:
                expert = self._env.expert_action()
                if expert is None:
                    raise ConfigError(":expert: there is no expert at this step")
                return self._say(expert)
            case [":submit"]:
                return self._say(Submit())
            case [":view", path]:
                return self._say(View(path=path))
            case [":view", path, first, last] if first.isdecimal() and last.lstrip("-").isdecimal():
                return self._say(View(path=path, lines=(int(first), int(last))))
        if words[0].startswith(":"):
            raise ConfigError(f"unknown command {line.strip()!r}; :help says which there are")
        return self._say(Shell(command=line))

    def _from_json(self, line: str) -> str:
        try:
            record = json.loads(line)
            if isinstance(record, str):
                return record
            if "reply" in record:
                return str(record["reply"])
            return self._say(action_from_json(record["action"]), str(record.get("thought", "")))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f'not a reply: {error}; give {{"reply": TEXT}} or {{"action": ...}}') from error

    def _say(self, action: Action, thought: str = "") -> str:
        return render_reply(Reply(thought=thought, action=action), self._env.dialect)

    def _tell(self, record: dict[str, Any], headline: str) -> None:
        if self._json:
            print(json.dumps(record), flush=True)
        else:
            print(headline)
            print(record["observation"].rstrip("\n").encode("utf-8", "replace").decode(), flush=True)


def _lines() -> Iterator[str]:
    """Lines of the pipe, or of the person after a prompt."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\r\n")


def _source(args: argparse.Namespace, stack: ExitStack) -> tuple[Trajectory | Task, Callable[[Task], Workspace] | None]:
    """What to step, and what opens its workspaces."""
    if args.source == "tiny":
        from srl_swe_envs.tiny import open_tiny, tiny_trajectory

        if args.tasks:
            raise ConfigError("--tasks: `tiny` has a task of its own")
        trajectory = tiny_trajectory()
        return _chosen(args.id, iter([(trajectory.id, trajectory)]), "tiny"), open_tiny
    if _is_trajectory_file(Path(args.source)):
        trajectory = _chosen(args.id, ((item.id, item) for item in read_trajectories(Path(args.source))), args.source)
        return trajectory, None if args.mode in (None, "replay") else _opener(args.tasks, trajectory.task, stack)
    from ..task_sets import open_task_set

    tasks = stack.enter_context(open_task_set(args.source))
    return _chosen(args.id, ((task.id, task) for task in tasks.tasks), args.source), tasks.open_workspace


def _opener(name: str | None, task: Task, stack: ExitStack) -> Callable[[Task], Workspace]:
    """What opens a trajectory's workspace: the set that was named, or what the task itself says."""
    from ..task_sets import image_opener, open_task_set

    if name is None and task.image:
        return stack.enter_context(image_opener())
    if name is None and not task.repo.startswith("demo/"):
        raise ConfigError(f"the task {task.id} names no image: say with --tasks in which set it is")
    return stack.enter_context(open_task_set(name or "demo")).open_workspace


def _chosen(wanted: str | None, items: Iterator[tuple[str, Any]], source: str) -> Any:
    for name, item in items:
        if wanted in (None, name):
            return item
    raise ConfigError(f"{source} holds no {wanted!r}" if wanted else f"{source} holds nothing to step")


def _is_trajectory_file(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return '"srl-swe/trajectory/' in file.readline(1000)

"""The command `srl-swe`: a table of commands, each imported only when it is named.

A command is a module with `add_arguments(parser)` and `run(args) -> exit code`. Exit codes: 0 done, 1 the work failed,
2 the user's input was wrong (one line on standard error says what and how to mend it), 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

COMMANDS = {
    "ingest": "read expert logs, lint them, say what was dropped and why",
    "train": "train a model on expert trajectories: sft, srl, rlvr, or one after the other",
    "sweep": "a grid of training runs with seeds, and one table with intervals; resumable",
    "step": "step the world by hand, or from a pipe",
    "score": "rewards of replies against expert actions, offline",
    "evaluate": "the resolve rate of a model on tasks, graded in fresh workspaces; resumable",
    "evaluate-math": "final-answer accuracy of a model on mathematics problems: greedy and avg@k; resumable",
    "images": "make task images where nothing can be pulled",
    "audit": "what a run's reward paid for: similarity against outcome, other effects, wrappers, thoughts, copies",
    "tasks": "list, show, validate and make tasks",
    "clean": "remove containers and folders that killed runs left behind",
    "doctor": "what this machine can run, and what is missing",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments[0] if arguments else "")
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 2
    # imported late: it brings numpy and gymnasium along, which `--help` need not wait for
    from srl_swe_envs.errors import ConfigError, SrlSweError, TrajectoryFormatError

    try:
        return int(_module(args.command).run(args))
    except (ConfigError, TrajectoryFormatError) as error:
        return _say(error, 2)
    except SrlSweError as error:
        return _say(error, 1)
    except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        if not isinstance(error.filename, str):
            raise
        return _say(f"{error.filename}: {error.strerror}", 2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says what there is\n")


def _parser(named: str) -> argparse.ArgumentParser:
    """The argument tree; only the named command's own arguments are filled in, the others are one line of help."""
    parser = _Parser(
        prog="srl-swe", description="Turn the logs of expert software-engineering agents into a better code model."
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary)
        if name == named:
            _module(name).add_arguments(sub)
    return parser


def _module(command: str) -> Any:
    return import_module(f"{__name__}.{command.replace('-', '_')}")


def _say(error: Exception | str, code: int) -> int:
    print(f"srl-swe: {' '.join(str(error).split())}", file=sys.stderr)
    return code

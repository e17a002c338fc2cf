"""`srl-swe audit RUN`: what a run's reward paid for, printed and kept in the run as `audit.json`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("run", type=Path, help="the folder of a training run")
    parser.add_argument(
        "--evaluation",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="graded rollouts to compare with experts (default: those in the run and beside it that evaluate it)",
    )
    parser.add_argument("--base", type=Path, help="what the paths of the run's configuration are relative to")


def run(args: argparse.Namespace) -> int:
    """Audit, print, and write `audit.json`."""
    from ..audit.report import audit, audit_text
    from ..training.folder import write_json

    found = audit(args.run, evaluations=args.evaluation, base=args.base)
    write_json(args.run / "audit.json", found)
    print(audit_text(found))
    print(f"\n{args.run / 'audit.json'}")
    return 0

"""`srl-swe clean`: removes what killed runs left behind, and nothing of a living one."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Remove what belongs to dead owners; exit code 1 when something resisted."""
    from srl_swe_envs.workspaces.reaper import reap

    report = reap()
    removed = {
        "container": report.containers,
        "image": report.images,
        "volume": report.volumes,
        "directory": report.directories,
    }
    for kind, names in removed.items():
        for name in names:
            print(f"removed {kind} {name}")
    print(f"{report.removed} removed, {report.kept} of living runs kept")
    for problem in report.problems:
        print(f"srl-swe: {problem}", file=sys.stderr)
    return 1 if report.problems else 0

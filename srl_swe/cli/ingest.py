"""`srl-swe ingest LOGS... -o FILE`: expert logs of any known format into canonical trajectories, with a lint report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from srl_swe_envs.errors import ConfigError, TrajectoryFormatError
from srl_swe_envs.trajectories import trajectory_to_json

from ..logs import Problem, Reading, read_benchmark, scan_logs
from ..logs.report import LintReport
from ..logs.report_table import report_table
from .output import whole_file

_PROGRESS_EVERY = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `srl-swe ingest`."""
    parser.add_argument("logs", nargs="+", metavar="LOGS", help="log files, folders or globs; .gz is read")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="canonical trajectories (JSONL)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the lint report as JSON")
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="FILE",
        help="rows of the benchmark to keep clear of (JSONL); without it, tasks of the twelve repositories of "
        "SWE-bench Verified are left out",
    )
    parser.add_argument(
        "--keep-contaminated", action="store_true", help="write contaminated trajectories too, marked as such"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first file or line that can't be read")


def run(args: argparse.Namespace) -> int:
    """Read, write, report; 0 when something was read, 1 when nothing was."""
    benchmark = read_benchmark(args.benchmark) if args.benchmark else None
    report = LintReport()
    with whole_file(args.out) as out:
        for event in scan_logs(args.logs, benchmark=benchmark):
            if isinstance(event, Problem) and args.strict:
                raise TrajectoryFormatError(str(event))
            report.add(event)
            if isinstance(event, Reading) and _is_wanted(event, args.keep_contaminated):
                out.write(json.dumps(trajectory_to_json(event.trajectory), ensure_ascii=False) + "\n")
                report.written += 1
                _show_progress(report.written)
        if not any(formatted.trajectories for formatted in report.formats.values()):
            raise ConfigError(_nothing_read(report))
    if args.report:
        with whole_file(args.report) as file:
            json.dump(report.as_json(), file, indent=2, ensure_ascii=False)
            file.write("\n")
    _clear_progress()
    print(report_table(report))
    print(_closing(report, args.out, args.keep_contaminated))
    return 0


def _is_wanted(reading: Reading, keep_contaminated: bool) -> bool:
    return bool(reading.trajectory.turns) and (keep_contaminated or not reading.trajectory.contaminated)


def _nothing_read(report: LintReport) -> str:
    if report.problems:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        return f"no trajectory could be read: {report.problems[0]}{more}"
    if report.skipped:
        return f"no trajectory found: {report.skipped[0].path}: {report.skipped[0].reason}"
    return "no trajectory found: the logs hold no agent steps"


def _closing(report: LintReport, out: Path, kept: bool) -> str:
    contaminated = report.total().contaminated
    what = "marked" if kept else "left out (--keep-contaminated writes them)"
    note = f"; {contaminated} contaminated ones {what}" if contaminated else ""
    return f"wrote {report.written} trajectories to {out}{note}"


def _show_progress(count: int) -> None:
    if sys.stderr.isatty() and count % _PROGRESS_EVERY == 0:
        print(f"\r{count} trajectories", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

"""Expert logs in, canonical trajectories out: every format is known by its content, never by its name.

`read_logs` gives trajectories one at a time; `scan_logs` also says what could not be read and what was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from srl_swe_envs.errors import TrajectoryFormatError
from srl_swe_envs.trajectories import Trajectory

from .contamination import Benchmark, contamination, read_benchmark
from .reading import LogFormat, Origin, Problem, Reading, Skipped
from .scan import scan_logs


def read_logs(
    paths: Iterable[Path | str], *, strict: bool = False, benchmark: Benchmark | None = None
) -> Iterator[Trajectory]:
    """The trajectories in these files, folders and globs, one at a time; those without a turn are left out.

    Each says in `contaminated` whether it touches a task of the benchmark. What can't be read is passed over, or with
    `strict` raises TrajectoryFormatError naming file and line. Raises ConfigError for a path that does not exist.
    """
    for event in scan_logs(paths, benchmark=benchmark):
        if isinstance(event, Reading) and event.trajectory.turns:
            yield event.trajectory
        elif isinstance(event, Problem) and strict:
            raise TrajectoryFormatError(str(event))


__all__ = [
    "Benchmark",
    "LogFormat",
    "Origin",
    "Problem",
    "Reading",
    "Skipped",
    "contamination",
    "read_benchmark",
    "read_logs",
    "scan_logs",
]

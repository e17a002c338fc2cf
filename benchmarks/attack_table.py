"""Runs the attacks of `benchmarks/attacks.py` on every contender and writes what happened as a table.

    python benchmarks/attack_table.py [--contenders docker,local,mini,swerex] [--only TEXT] [--json FILE]
                                      [--into docs/reliability.md]

Each attack meets a fresh environment in a process of its own with 4 GB of address space, so that a harness that falls
over takes nothing else along. A cell is `sound` when the command ended as the attack says it must, in time, and the
next command worked; otherwise it says what went wrong. `--into` replaces the table between the marks of a file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.attacks import ATTACKS, DISK_BYTES, MEMORY_BYTES, OUTPUT_CHARS, PIDS, Attack
from benchmarks.container_contenders import CONTAINER_CONTENDERS, example_image, missing
from benchmarks.contenders import CONTENDERS, Contender, Source, example_repository
from srl_swe_envs.workspaces.protocol import WorkspaceLimits

NAMES = {"docker": "docker", "local": "local", "mini": "mini-swe-agent", "swerex": "SWE-ReX"}
LIMITS = WorkspaceLimits(
    memory_bytes=MEMORY_BYTES, disk_bytes=DISK_BYTES, pids=PIDS, output_chars=OUTPUT_CHARS, cpus=1.0
)
BEGIN, END = "<!-- attacks -->\n", "<!-- end of attacks -->\n"
ADDRESS_SPACE_BYTES = 4 << 30
SLACK_S = 5.0
LONGEST_S = 150.0
NEXT_TIMEOUT_S = 8.0

Cell = dict[str, Any]


def try_attack(contender: Contender, attack: Attack, image: str) -> Cell:
    """One attack in a process of its own; what the cell says under `verdict`."""
    reader, writer = os.pipe()
    known = _containers(image)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            text = json.dumps(_in_child(contender, attack))
        except BaseException as error:  # nothing of the parent's may run in the child, least of all its clean-up
            text = json.dumps({"harness": f"could not start: {type(error).__name__}: {error}"[:300]})
        with os.fdopen(writer, "w") as answer:
            answer.write(text)
        os._exit(0)
    os.close(writer)
    cell = _wait(child, reader)
    leftover = [name for name in _containers(image) if name not in known]
    if leftover:
        subprocess.run(["docker", "rm", "-f", *leftover], capture_output=True, check=False)
    return {**cell, "verdict": verdict(attack, cell)}


def _in_child(contender: Contender, attack: Attack) -> Cell:
    started = contender.start()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, resource.RLIM_INFINITY))
    cell = _timed(lambda: started.run(attack.command, attack.timeout_s))
    after = _timed(lambda: started.run(attack.then, NEXT_TIMEOUT_S))
    for name in ("output", "error", "timed_out", "exit_code"):
        cell[f"next_{name}"] = after[name]
    cell["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    try:
        started.close()
    except BaseException as error:
        cell["close_error"] = repr(error)[:200]
    return cell


def _timed(action: Callable[[], object]) -> Cell:
    began = time.monotonic()
    cell: Cell = {"output": "", "exit_code": None, "timed_out": False, "error": ""}
    try:
        cell |= _read(action())
    except BaseException as error:  # MemoryError, and mini-swe-agent's Submitted, are answers too
        cell["timed_out"] = "Timeout" in type(error).__name__
        cell["error"] = "" if cell["timed_out"] else f"{type(error).__name__}: {error}"[:200]
    cell["chars"] = len(cell["output"])
    if cell["chars"] > 4 * OUTPUT_CHARS:
        cell["output"] = cell["output"][:OUTPUT_CHARS] + cell["output"][-OUTPUT_CHARS:]
    cell["seconds"] = round(time.monotonic() - began, 1)
    return cell


def _read(result: Any) -> Cell:
    """Output, exit code and time-out in any contender's own form."""
    if isinstance(result, dict):  # mini-swe-agent
        late = result.get("extra", {}).get("exception_type") == "TimeoutExpired"
        error = "" if late else result["exception_info"]
        return {"output": result["output"], "exit_code": result["returncode"], "timed_out": late, "error": error[:200]}
    if isinstance(result, tuple):  # the SDK
        return {"output": result[1].decode(errors="replace"), "exit_code": result[0]}
    return {"output": result.output, "exit_code": result.exit_code, "timed_out": getattr(result, "timed_out", False)}


def _wait(child: int, reader: int) -> Cell:
    """The child's cell; a cell that says so when it died or did not come back."""
    os.set_blocking(reader, False)
    deadline, received = time.monotonic() + LONGEST_S, b""
    while time.monotonic() < deadline:
        ended = os.waitpid(child, os.WNOHANG)[0]
        while True:
            try:
                chunk = os.read(reader, 1 << 16)
            except BlockingIOError:
                break
            if not chunk:
                break
            received += chunk
        if ended:
            os.close(reader)
            return json.loads(received) if received else {"harness": "the harness died"}
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    return {"harness": f"no answer within {LONGEST_S:.0f} s"}


def verdict(attack: Attack, cell: Cell) -> str:
    """`sound`, or what went wrong."""
    if "harness" in cell:
        return str(cell["harness"])
    problems = []
    hangs = cell["timed_out"] and not attack.timed_out
    if cell["error"]:
        problems.append(f"raises {cell['error'].split(':')[0][:40]}")
    if cell["seconds"] > attack.timeout_s + SLACK_S:
        problems.append(f"returns after {cell['seconds']:.0f} s (limit {attack.timeout_s:.0f} s)")
    elif hangs:
        problems.append("hangs until the time limit")
    if not cell["error"] and not hangs:
        problems += _wrong_result(attack, cell)
    if cell["chars"] > 20_000_000:
        problems.append(f"{cell['chars'] / 1e6:.0f} MB of output kept")
    if cell["peak_mb"] > 1000:
        problems.append(f"harness used {cell['peak_mb'] / 1000:.1f} GB")
    problems += _afterwards(attack, cell)
    return "; ".join(problems) or "sound"


def _wrong_result(attack: Attack, cell: Cell) -> list[str]:
    problems = []
    if attack.contains not in ("", "elided") and attack.contains not in cell["output"]:  # the mark's word is ours
        problems.append("output lost or changed")
    elif attack.lacks and attack.lacks in cell["output"]:
        problems.append("not contained" if attack.lacks in ("rc=0", "reached", "traced") else "output changed")
    if attack.exit_code is not None and not attack.timed_out and cell["exit_code"] != attack.exit_code:
        problems.append(f"exit code {cell['exit_code']} for {attack.exit_code}")
    return problems


def _afterwards(attack: Attack, cell: Cell) -> list[str]:
    if cell["next_timed_out"]:
        return ["the next command hangs"]
    if cell["next_error"]:
        return [f"the next command raises {cell['next_error'].split(':')[0][:40]}"]
    if attack.fatal:
        return [] if cell["next_exit_code"] else ["the next command seems to work"]
    seen = cell["next_output"].replace("\r\n", "\n").strip()
    if seen == attack.then_output.strip():
        return []
    if "pgrep" in attack.then or "ps -eo" in attack.then:
        return ["processes survive"]
    return ["the next command goes wrong"]


def _containers(image: str) -> list[str]:
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"ancestor={image}"], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


def table(cells: dict[str, dict[str, Cell]], names: list[str]) -> str:
    """Markdown: one row for each attack."""
    lines = [f"| attack | {' | '.join(NAMES.get(name, name) for name in names)} |", "| --- |" + " --- |" * len(names)]
    for attack, row in cells.items():
        lines.append(f"| {attack} | " + " | ".join(row[name]["verdict"].replace("|", "\\|") for name in names) + " |")
    verdicts = {name: [row[name]["verdict"] for row in cells.values()] for name in names}
    counts = (f"**{seen.count('sound')} of {len(seen)}**" for seen in verdicts.values())
    lines.append("| **sound** | " + " | ".join(counts) + " |")
    return "\n".join(lines) + "\n"


def write_into(file: Path, text: str) -> None:
    """Put the table between the marks; raises ValueError when the file has none."""
    page = file.read_text(encoding="utf-8")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no {BEGIN.strip()} ... {END.strip()}")
    file.write_text(head + begin + text + end + tail, encoding="utf-8")


def main() -> int:
    """Run the attacks and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contenders", default=",".join(NAMES))
    parser.add_argument("--only", default="", help="only attacks whose name contains this")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    names = [name for name in options.contenders.split(",") if not missing(name)]
    cells: dict[str, dict[str, Cell]] = {}
    with example_repository() as repository, example_image(repository) as image, ExitStack() as stack:
        source = Source(repository=repository, image=image, limits=LIMITS)
        every = {
            name: CONTENDERS[name](source) if name in CONTENDERS else CONTAINER_CONTENDERS[name](source, stack)
            for name in names
        }
        for attack in (attack for attack in ATTACKS.values() if options.only in attack.name):
            row = cells[attack.name] = {name: try_attack(every[name], attack, image) for name in names}
            print(attack.name, *(f"{name}: {cell['verdict']}" for name, cell in row.items()), sep=" | ", flush=True)
            if options.json:
                options.json.write_text(json.dumps(cells, indent=1) + "\n", encoding="utf-8")
    if options.into:
        write_into(options.into, table(cells, names))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The run folder: what a kill, a full disk and a second process can do to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srl_swe.evaluation.store import JsonLines, RunFolder, StoreError, write_atomically
from srl_swe_envs.errors import ConfigError


def keep_writing(path: Path) -> None:
    lines = JsonLines(path)
    for number in range(1_000_000):
        lines.append((f"task-{number}", 0), {"text": "x" * 300})


def test_a_killed_writer_leaves_whole_lines_only_and_nothing_is_doubled(tmp_path: Path):
    path = tmp_path / "lines.jsonl"
    for _ in range(3):
        writer = multiprocessing.get_context("spawn").Process(target=keep_writing, args=(path,))
        writer.start()
        size = path.stat().st_size if path.exists() else 0
        while not path.exists() or path.stat().st_size < size + 5000:
            time.sleep(0.01)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        lines = JsonLines(path)
        raw = path.read_bytes()
        assert raw.endswith(b"\n")
        tasks = {json.loads(line)["task"] for line in raw.splitlines()}
        assert {key[0] for key in lines.records} == tasks
        lines.close()


def test_half_a_line_is_cut_off_and_its_task_is_open_again(tmp_path: Path):
    path = tmp_path / "lines.jsonl"
    lines = JsonLines(path)
    lines.append(("a", 0), {"v": 1})
    lines.close()
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        again = JsonLines(path)
        assert again.records == {("a", 0): {"task": "a", "sample": 0, "v": 1}}
        again.append(("b", 1), {"v": 2})
        again.close()
        assert [json.loads(line)["task"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_the_last_line_of_a_key_counts(tmp_path: Path):
    lines = JsonLines(tmp_path / "lines.jsonl")
    lines.append(("a", 0), {"outcome": "infra"})
    lines.append(("a", 0), {"outcome": "resolved"})
    lines.close()
    assert JsonLines(tmp_path / "lines.jsonl").records["a", 0]["outcome"] == "resolved"


def test_text_that_is_not_utf8_survives(tmp_path: Path):
    patch = b"\xff\xfe\x00 caf\xe9".decode("utf-8", "surrogateescape")
    lines = JsonLines(tmp_path / "lines.jsonl")
    lines.append(("a", 0), {"patch": patch})
    lines.close()
    assert JsonLines(tmp_path / "lines.jsonl").records["a", 0]["patch"] == patch


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"task": "a", "sample": 0}\n{"task"\n{"task": "b", "sample": 0}\n')
    with pytest.raises(ConfigError, match=r"lines\.jsonl:2: not a record"):
        JsonLines(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def fill(folder: RunFolder) -> None:
    for number in range(1000):
        folder.rollouts.append((f"t{number}", 0), {"patch": "x" * 3000})


def test_a_full_disk_loses_nothing_that_was_written_and_work_goes_on_after_it(small_disk: Path):
    with RunFolder.open(small_disk / "run", {"a": 1}) as folder:
        with pytest.raises(StoreError, match=r"free some space and run the same command again"):
            fill(folder)
        written = len(folder.rollouts.records)
    (small_disk / "run" / "grades.jsonl").unlink()
    with RunFolder.open(small_disk / "run", {"a": 1}) as folder:
        assert len(folder.rollouts.records) == written > 10
    with pytest.raises(StoreError):
        write_atomically(small_disk / "run" / "report.json", "y" * 300_000)
    assert [path.name for path in (small_disk / "run").glob(".*")] == []


def test_a_second_process_is_kept_out_and_told_so(tmp_path: Path):
    with RunFolder.open(tmp_path / "run", {}):
        code = (
            "import sys; from pathlib import Path; from srl_swe.evaluation.store import RunFolder\n"
            f"with RunFolder.open(Path({str(tmp_path / 'run')!r}), {{}}): pass"
        )
        root = Path(__file__).parents[3]
        environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'envs'}"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "is in use by another evaluation" in done.stderr
    with RunFolder.open(tmp_path / "run", {}):
        pass


def test_other_settings_for_the_same_folder_are_refused_by_name(tmp_path: Path):
    with RunFolder.open(tmp_path / "run", {"policy": "gould", "samples": 1}):
        pass  # refused before anything came of it
    with RunFolder.open(tmp_path / "run", {"policy": "gold", "samples": 1}) as folder:
        folder.rollouts.append(("task", 0), {"patch": ""})
    with pytest.raises(ConfigError, match=r"was made with policy = 'gold', now it is 'empty'"):  # noqa: SIM117
        with RunFolder.open(tmp_path / "run", {"policy": "empty", "samples": 1}):
            pass

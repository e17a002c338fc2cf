"""The process of the command ends like any other when it is alone, and without the interpreter's teardown on ranks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import atexit, threading, time
from srl_swe.__main__ import run

class Kept:
    def __del__(self):
        print("teardown", flush=True)

def slow():
    time.sleep(0.2)
    print("thread", end=" ")

def command():
    threading.Thread(target=slow).start()
    return 3

kept = Kept()
atexit.register(print, "exit function", end=" ")
run(command)
"""


@pytest.mark.parametrize(
    ("ranks", "printed"), [("1", "thread exit function teardown\n"), ("2", "thread exit function ")]
)
def test_what_a_process_owes_at_its_end_is_done_and_ranks_skip_the_teardown(ranks: str, printed: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "WORLD_SIZE": ranks},
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (3, printed)

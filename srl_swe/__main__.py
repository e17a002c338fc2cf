"""The process of `srl-swe`, which `python -m srl_swe` is too."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from .cli import main


def run(command: Callable[[], int] = main) -> NoReturn:
    """Run the command and end with its exit code."""
    code = command()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End as the interpreter does, but for its teardown, which now and then aborts one of several ranks.

    torch's caches keep process groups for good. A thread of Gloo that still has a tensor to drop then needs the GIL,
    and CPython before 3.14 ends it by an unwinding that C++ does not survive (python/cpython#87135).
    """
    # as multiprocessing's processes end
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()

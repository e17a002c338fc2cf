"""The smallest world there is: one file, one bug, one expert. What the registered environments step by default."""

from __future__ import annotations

from pathlib import Path

from ..actions import Replace, Shell, Submit, View
from ..tasks import Task
from ..trajectories import Observation, Trajectory, Turn
from ..workspaces.protocol import Workspace

_ADDER = """\
Here's the result of running `cat -n` on /testbed/adder.py:
     1\t\"\"\"Sums.\"\"\"
     2\t
     3\t
     4\tdef add(first: int, second: int) -> int:
     5\t    \"\"\"The sum of two numbers.\"\"\"
     6\t    return first - second
     7\t
"""
_EDITED = """\
The file /testbed/adder.py has been edited. Here's the result of running `cat -n` on a snippet of /testbed/adder.py:
     1\t\"\"\"Sums.\"\"\"
     2\t
     3\t
     4\tdef add(first: int, second: int) -> int:
     5\t    \"\"\"The sum of two numbers.\"\"\"
     6\t    return first + second
Review the changes and make sure they are as expected. Edit the file again if necessary."""


def tiny_task() -> Task:
    """Fix `add`; it has no tests, so a submission is not graded."""
    return Task(id="tiny__adder", problem="`add(2, 3)` from adder.py gives -1. It should give 5.", repo="tiny/adder")


def tiny_trajectory() -> Trajectory:
    """Look, view, edit, check, submit: five turns of an expert, with the observations that `open_tiny` gives."""
    check = "python3 -B -c 'from adder import add; print(add(2, 3))'"
    turns = (
        Turn(thought="What is here?", action=Shell(command="ls"), observation=_seen("adder.py\n")),
        Turn(thought="Read it.", action=View(path="/testbed/adder.py"), observation=_seen(_ADDER)),
        Turn(
            thought="It subtracts.",
            action=Replace(path="/testbed/adder.py", old="first - second", new="first + second"),
            observation=_seen(_EDITED),
        ),
        Turn(thought="Does it add now?", action=Shell(command=check), observation=_seen("5\n")),
        Turn(thought="Done.", action=Submit(), observation=_seen("")),
    )
    return Trajectory(id="tiny", task=tiny_task(), turns=turns, source="tiny", outcome="resolved")


def open_tiny(task: Task) -> Workspace:
    """A local sandbox of the tiny repository; raises WorkspaceError where the machine allows none."""
    from ..workspaces.local.workspace import LocalWorkspace  # loads the sandbox only for those who run one

    return LocalWorkspace(Path(__file__).parent / "repository", workdir=task.workdir)


def _seen(text: str) -> Observation:
    return Observation(text=text, exit_code=0)

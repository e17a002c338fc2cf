"""A task: an issue in a repository at a commit, and the tests that decide whether it is solved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One software-engineering task.

    Example: `Task(id="psf__requests-1142", repo="psf/requests", base_commit="22623bd8...", problem="requests.get is
    ALWAYS sending content length ...", image="swebench/sweb.eval.x86_64.psf_1776_requests-1142:latest",
    fail_to_pass=("tests/test_requests.py::...",))`. A log that does not say a field leaves it empty.
    """

    id: str
    problem: str
    """The issue text as the agent sees it."""
    repo: str = ""
    """`owner/name`."""
    base_commit: str = ""
    image: str = ""
    """Container image with the repository checked out and its dependencies installed."""
    workdir: str = "/testbed"
    """Where the repository lies inside the image."""
    test_command: str = ""
    """Shell command that runs the test ids appended to it, e.g. `python -m pytest -q`."""
    fail_to_pass: tuple[str, ...] = ()
    """Test ids that fail before the fix and must pass after it."""
    pass_to_pass: tuple[str, ...] = ()
    """Test ids that pass before and must still pass."""
    test_patch: str = ""
    """Unified diff of the test files; applied when tests are restored before grading."""
    gold_patch: str = ""
    """The reference fix; never shown to the agent."""

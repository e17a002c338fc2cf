"""Removes the future from a task's git repository before the agent sees it, and proves that it is gone.

A task is a repository at the commit before a fix. Its image often still holds the fix: on other branches, tags and
remotes, in the reflog, in `ORIG_HEAD`, in a stash, in notes, or as objects that nothing names but that
`git cat-file --batch-all-objects` finds. Agents have been seen to look (in 21 of 100 runs on one benchmark).

The two scripts beside this file run inside the workspace, by its own git: `history_scrub.sh` removes, the
independent `history_check.sh` looks. What counts as the past is all that HEAD leads to, and tags of it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.resources import files

from ..errors import ConfigError, WorkspaceError
from ..workspaces.runner import CommandRunner

NESTED_DEPTH = 6
"""How deep below the work tree nested repositories and submodules are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFinding:
    """One way to something that is not the history of HEAD."""

    repository: str
    code: str
    """`later_commit`, `unreachable_objects`, `reflog`, `pseudo_ref`, `remote`, `hidden_ref`, `alternate`, `worktree`,
    `graft`, `in_progress`, `staged`, `temporary_object`, `ahead_of_base`, `wrong_base` or `unreadable`."""
    detail: str

    def __str__(self) -> str:
        return f"{self.repository}: {self.code}: {self.detail}"


def remove_future(
    workspace: CommandRunner,
    *,
    workdir: str,
    base_commit: str = "",
    max_commits_ahead: int = 1,
    timeout_s: float = 900.0,
) -> None:
    """Leave no way to a commit after the task's: check, scrub where the check finds something, check again.

    `base_commit` must be in HEAD's history, at most `max_commits_ahead` commits before HEAD (SWE-bench images put
    one commit of their own on top of it); empty: whatever HEAD is. Raises ConfigError when something remains, with
    each finding, and WorkspaceError when git could not be run to its end.
    """
    remaining: list[HistoryFinding] = []
    for repository in repositories(workspace, workdir=workdir):
        base = base_commit if repository == workdir else ""
        if not check_history(workspace, repository, base, max_commits_ahead, timeout_s=timeout_s):
            continue
        scrub_history(workspace, repository, timeout_s=timeout_s)
        remaining += check_history(workspace, repository, base, max_commits_ahead, timeout_s=timeout_s)
    if remaining:
        lines = "\n  ".join(str(finding) for finding in remaining)
        raise ConfigError(f"the task's repository still leads to later commits; mend its image:\n  {lines}")


def repositories(workspace: CommandRunner, *, workdir: str, timeout_s: float = 60.0) -> tuple[str, ...]:
    """The work trees that are repositories: `workdir` first, then submodules and clones nested in it."""
    command = f"find {shlex.quote(workdir)} -maxdepth {NESTED_DEPTH} -name .git 2>/dev/null | sort | head -n 200"
    found = workspace.run(command, timeout_s=timeout_s)
    nested = (line.removesuffix("/.git") for line in found.output.splitlines() if line.endswith("/.git"))
    return tuple(dict.fromkeys((workdir, *nested)))


def check_history(
    workspace: CommandRunner,
    repository: str,
    base_commit: str = "",
    max_commits_ahead: int = 1,
    *,
    timeout_s: float = 600.0,
) -> tuple[HistoryFinding, ...]:
    """Everything in a repository that is not the history of its HEAD; empty when it is clean or no repository.

    Changes nothing. Raises WorkspaceError when the check did not come to its end.
    """
    ran = workspace.run(
        _command("history_check.sh", repository, base_commit, str(max_commits_ahead)), timeout_s=timeout_s
    )
    lines = ran.output.splitlines()
    if ran.exit_code != 0 or "checked" not in lines:
        raise WorkspaceError(f"the history check of {repository} did not finish: {ran.output[-500:].strip()}")
    findings = (line.split(" ", 2) for line in lines if line.startswith("finding "))
    return tuple(HistoryFinding(repository=repository, code=code, detail=detail) for _, code, detail in findings)


def scrub_history(workspace: CommandRunner, repository: str, *, timeout_s: float = 900.0) -> None:
    """Remove everything from a repository that is not the history of its HEAD; the work tree stays as it is.

    Raises ConfigError with git's message when a step failed (a read-only folder, a linked worktree) and
    WorkspaceError when it ran out of time.
    """
    ran = workspace.run(_command("history_scrub.sh", repository), timeout_s=timeout_s)
    if ran.timed_out:
        raise WorkspaceError(f"removing the future history of {repository} took more than {timeout_s:.0f} s")
    if ran.exit_code != 0:
        raise ConfigError(f"can't remove the future history of {repository}: {ran.output[-500:].strip()}")


def _command(script: str, *arguments: str) -> str:
    """A script of this folder as one shell command, in a subshell so that it leaves the session as it was."""
    text = files(__package__).joinpath(script).read_text(encoding="utf-8")
    return f"(\nset -- {shlex.join(arguments)}\n{text}\n)"

"""The `agentless-mini` protocol: one reply names files, a second repairs them (the paper's second column).

As `localize.py` of Agentless-Mini does it with one sample: the issue and the tree of Python files, tests left out
(except for pytest itself), at most five files, each named by a line that equals an existing path. The repair step is
the oracle's.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeAlias

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.tasks import Task
from srl_swe_envs.workspaces.protocol import Workspace

from ...conversations import Message
from ...policies.protocol import Policy, Sampling
from ...rollout import Rollout, reply_turn
from ..items import Item
from .agentless_prompts import LOCALIZATION
from .oracle import QUIRKS, read_python, repair, solution

MAX_FILES = 5

Tree: TypeAlias = "dict[str, Tree | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentlessMiniProtocol:
    """Localise, then repair."""

    open_workspace: Callable[[Task], Workspace]
    thinking: bool = False
    max_tokens: int = 4096
    name: str = "agentless-mini"

    @property
    def quirks(self) -> tuple[str, ...]:
        """Those of both steps."""
        return (
            f"localisation: at most {MAX_FILES} files; a line of the reply counts only if it equals an existing path",
            "localisation: entries that begin with `test` and files that are not Python are hidden, "
            "except in pytest's own tasks",
            "with a temperature, the tree's order and indentation and the number of files are drawn at random",
            *QUIRKS,
        )

    def solve(self, item: Item, policy: Policy, sampling: Sampling) -> Rollout:
        """Two replies."""
        limited = replace(sampling, max_tokens=self.max_tokens)
        with closing(self.open_workspace(item.task)) as workspace:
            tree = file_tree(tracked_files(workspace, item.task.workdir), keep_tests=item.task.id.startswith("pytest"))
            paths = tree_paths(tree)
            prompt = localization_prompt(item.task.problem, tree, sampling)
            completion = policy.complete([Message(role="user", content=prompt)], limited)
            named = named_files(solution(completion.text, self.thinking), paths)
            first = reply_turn(completion)
            if not named:
                first = replace(first, malformed="no_file")
            files = read_python(workspace, named, item.task.workdir)
            second, patch = repair(workspace, item.task, files, policy, limited, self.thinking)
        return Rollout(
            task=item.task.id,
            policy=policy.name,
            turns=(first, second) if second else (first,),
            stop="answered",
            patch=patch,
            duration_s=0.0,
        )


def tracked_files(workspace: Workspace, workdir: str) -> tuple[str, ...]:
    """The repository's files in git's order; raises WorkspaceError."""
    listing = f"{workdir}/.git/srl-swe-files"
    command = f"cd {shlex.quote(workdir)} && git -c safe.directory='*' ls-files -z > {shlex.quote(listing)}"
    done = workspace.run(command, timeout_s=60)
    if done.exit_code != 0:
        raise WorkspaceError(f"the repository's files can't be listed: {done.output[-300:]}")
    names = workspace.read_bytes(listing).decode("utf-8", "surrogateescape")
    workspace.run(f"rm {shlex.quote(listing)}", timeout_s=60)
    return tuple(name for name in names.split("\0") if name)


def file_tree(paths: tuple[str, ...], *, keep_tests: bool) -> Tree:
    """Python files as a tree, entries beginning with `test` left out unless they are kept."""
    tree: Tree = {}
    for path in paths:
        parts = path.split("/")
        if not path.endswith(".py") or (not keep_tests and any(part.startswith("test") for part in parts)):
            continue
        place = tree
        for part in parts[:-1]:
            inner = place.setdefault(part, {})
            assert inner is not None  # a name is a folder or a file, not both
            place = inner
        place[parts[-1]] = None
    return tree


def tree_paths(tree: Tree, prefix: str = "") -> tuple[str, ...]:
    """The files of a tree."""
    found: list[str] = []
    for name, inner in tree.items():
        found += [prefix + name] if inner is None else tree_paths(inner, f"{prefix}{name}/")
    return tuple(found)


def localization_prompt(problem: str, tree: Tree, sampling: Sampling) -> str:
    """The first prompt; greedy sampling shows the tree in its own order."""
    if sampling.temperature > 0:
        draw = random.Random(sampling.seed)
        count, indent = draw.randint(2, MAX_FILES), draw.choice((2, 4))
        structure = _shown(tree, indent, 0, draw)
    else:
        count = MAX_FILES
        structure = _shown(tree, 4, 0, None)
    return LOCALIZATION.format(problem_statement=problem, structure=structure.strip(), n=count).strip()


def named_files(reply: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a reply that are existing paths, in its order."""
    known = set(paths)
    return tuple(dict.fromkeys(line for line in reply.strip().split("\n") if line in known))


def _shown(tree: Tree, indent: int, level: int, draw: random.Random | None) -> str:
    items = list(tree.items())
    if draw is not None:
        draw.shuffle(items)
    text = ""
    for name, inner in items:
        if "." in name and ".py" not in name:
            continue  # upstream's rule hides folders with a dot as well
        text += f"{' ' * (indent * level)}{name}\n"
        if inner is not None:
            text += _shown(inner, indent, level + 1, draw)
    return text

"""The patch that a workspace's files make, taken by the workspace's own git."""

from __future__ import annotations

import shlex

from ..errors import WorkspaceError
from .guest.client import GuestClient

MAX_PATCH_BYTES = 64 << 20
_TIMEOUT_S = 300.0

# An index and an object folder of its own leave the repository as the agent made it. The copied index keeps its time:
# by it git knows which files may have changed within the second it was written in. The configuration is the
# agent's: what changes the form of a diff is overridden.
_DIFF = """(
cd {workdir} && scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && mkdir "$scratch/objects" || exit 1
objects=$(cd "$(git rev-parse --git-path objects)" && pwd) || exit 1
cp -p "$(git rev-parse --git-path index)" "$scratch/index" 2>/dev/null
export GIT_INDEX_FILE="$scratch/index" GIT_OBJECT_DIRECTORY="$scratch/objects"
export GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects" GIT_OPTIONAL_LOCKS=0 LC_ALL=C
git -c core.fsmonitor=false -c core.safecrlf=false -c advice.addEmbeddedRepo=false add -A . 2>/dev/null
git -c core.fsmonitor=false -c core.quotePath=true -c diff.noprefix=false -c diff.mnemonicPrefix=false \\
    -c diff.renames=false -c diff.submodule=short diff --cached --binary --full-index --no-color --no-ext-diff \\
    --no-textconv {commit}
)"""


def initial_commit(client: GuestClient, workdir: str) -> str:
    """The commit that HEAD is at; empty when the folder is no repository or has no commit."""
    ran = client.run(f"git -C {shlex.quote(workdir)} rev-parse --verify -q HEAD", timeout_s=30)
    return ran.output.strip() if ran.exit_code == 0 else ""


def take_patch(client: GuestClient, workdir: str, commit: str) -> str:
    """The patch from `commit` to the files as they are; see `Workspace.diff`. Raises WorkspaceError."""
    command = _DIFF.format(workdir=shlex.quote(workdir), commit=shlex.quote(commit))
    answer, payload = client.run_raw(command, timeout_s=_TIMEOUT_S, output_bytes=MAX_PATCH_BYTES)
    if answer.number("elided"):
        raise WorkspaceError(f"the patch is larger than {MAX_PATCH_BYTES >> 20} MB")
    text = payload.decode("utf-8", "surrogateescape")
    if answer.fields.get("exit") != "0":
        raise WorkspaceError(f"git could not make the patch: {text[-500:].strip() or answer.fields}")
    return text

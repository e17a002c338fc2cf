"""Task images made where nothing can be pulled: base image, environment of a version, repository at its commit.

Three layers, so that tasks of one version share their environment: the base image; an environment image with the
interpreter, the packages of the specification and the `conda activate testbed` that evaluation scripts call; and the
task image with the repository in `/testbed`, installed. Like the published images, HEAD is one commit on top of the
base commit, so that what the installation left behind is not part of anybody's patch. Nothing later than the base
commit is fetched, and that is checked before the image counts as made.
"""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srl_swe_envs.errors import ConfigError
from srl_swe_envs.guards.history import check_history
from srl_swe_envs.workspaces.docker.spec import ContainerSpec
from srl_swe_envs.workspaces.docker.workspace import DockerWorkspace

from .build_container import Step, build, image_recipe, remove_abandoned_builds
from .checkout import checkout
from .rows import WORKDIR, Row
from .specs import RepositorySpec, Specs, VersionSpec

_ENVIRONMENT = "/opt/miniconda3/envs/testbed"
_ACTIVATE = """\
# Evaluation scripts source this and call `conda activate testbed`.
conda() { if [ "${1:-}" = activate ]; then . "/opt/miniconda3/envs/${2:-testbed}/bin/activate"; fi; }
"""
# The evaluation script installs the repository again, without a network: pip must neither look at an index nor make
# an isolated build environment (the variable's 0 is what switches isolation off; pip reads it as a boolean option).
_ENV = (
    "PIP_NO_INDEX=1",
    "PIP_NO_BUILD_ISOLATION=0",
    "PIP_DISABLE_PIP_VERSION_CHECK=1",
    "PIP_ROOT_USER_ACTION=ignore",
    f"VIRTUAL_ENV={_ENVIRONMENT}",
    f"PATH={_ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PAGER=cat",
    "GIT_PAGER=cat",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """Where images come from."""

    clones: dict[str, Path]
    """`owner/name` -> folder of its clone."""
    base_image: str = "srl-swe/base:bookworm"
    logs: Path
    depth: int = 0
    """How many commits of the past are kept; 0 keeps all."""
    force: bool = False
    """Make images anew that are there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One row with its image, or why there is none."""

    row: Row
    status: str
    """`built`, `present` or `failed`."""
    problem: str = ""


def build_images(
    rows: Sequence[Row], specs: Specs, settings: BuildSettings, *, said: Callable[[str], None] = print
) -> tuple[Built, ...]:
    """Make the image of each row; a row that fails is reported and does not stop the others.

    The rows come back with `task.image` naming what was made. Raises WorkspaceError when the engine fails.
    """
    remove_abandoned_builds()
    results = []
    for row in rows:
        try:
            status, image = _build_row(row, specs, settings, said)
            done = replace(row, task=replace(row.task, image=image))
            results.append(Built(row=done, status=status))
        except ConfigError as error:
            results.append(Built(row=row, status="failed", problem=str(error)))
        said(f"{row.task.id}: {results[-1].status}" + (f": {results[-1].problem}" if results[-1].problem else ""))
    return tuple(results)


def _build_row(row: Row, specs: Specs, settings: BuildSettings, said: Callable[[str], None]) -> tuple[str, str]:
    """Status and image name of one row."""
    repository = specs.repository(row.task.repo)
    spec = repository.at(row.version)
    clone = settings.clones.get(row.task.repo) or settings.clones.get("")
    if clone is None:
        raise ConfigError(f"no clone of {row.task.repo}: give --clone {row.task.repo}=FOLDER")
    environment = _environment_step(repository, spec, settings)
    step = _task_step(row, spec, environment, settings)
    if not settings.force and image_recipe(step.image) == step.recipe:
        return "present", step.image
    if settings.force or image_recipe(environment.image) != environment.recipe:
        said(f"{row.task.id}: environment {environment.image}")
        build(environment, settings.logs / f"{environment.image.rpartition(':')[2]}.log")
    with tempfile.TemporaryDirectory(prefix="srl-swe-checkout-") as folder:
        target = Path(folder) / "testbed"
        checkout(clone, row.task.base_commit, target, depth=settings.depth)
        said(f"{row.task.id}: image {step.image}")
        build(replace(step, folder=(target, WORKDIR)), settings.logs / f"{row.task.id}.log")
    _check_history(step.image, row)
    return "built", step.image


def _environment_step(repository: RepositorySpec, spec: VersionSpec, settings: BuildSettings) -> Step:
    if spec.python is None:
        raise ConfigError(
            f"{repository.repo} {spec.versions[0]}: the specification names no python, so no image can be made; "
            "copy its file to a folder of yours, fill in python and packages, and give --specs FOLDER"
        )
    packages = shlex.join(spec.packages or ())
    debian = shlex.join(spec.system_packages or ())
    python = shlex.quote(spec.python)
    missing = f"{spec.python} is not in the base image; interpreters there: $(ls /usr/bin /usr/local/bin | grep python)"
    script = f"""\
command -v {python} >/dev/null || {{ echo "{missing}" | tr '\\n' ' '; return 1; }}
{f"apt-get update && apt-get install -y --no-install-recommends {debian}" if debian else ":"}
mkdir -p /opt/miniconda3/bin
cat >/opt/miniconda3/bin/activate <<'END'
{_ACTIVATE}END
{python} -m venv {_ENVIRONMENT}
{f"{_ENVIRONMENT}/bin/python -m pip install -q --no-cache-dir {packages}" if packages else ":"}
{_ENVIRONMENT}/bin/python -m pip list
"""
    recipe = _hash(image_recipe_or_id(settings.base_image), script, *_ENV, *(spec.environment or ()))
    name = f"{repository.repo.replace('/', '.')}-{spec.versions[0]}-{recipe[:12]}".lower()
    return Step(
        parent=settings.base_image,
        script=script,
        image=f"srl-swe/environment:{name}",
        recipe=recipe,
        changes=tuple(f"ENV {_quoted(setting)}" for setting in (*_ENV, *(spec.environment or ()))),
        network=True,
    )


def _task_step(row: Row, spec: VersionSpec, environment: Step, settings: BuildSettings) -> Step:
    install = "\n".join((*(spec.pre_install or ()), *([spec.install] if spec.install else [])))
    script = f"""\
export PATH={_ENVIRONMENT}/bin:$PATH VIRTUAL_ENV={_ENVIRONMENT}
{"".join(f"export {_export(setting)}" + chr(10) for setting in (*_ENV[:4], *(spec.environment or ())))}\
cd {WORKDIR}
git config --global --add safe.directory '*'
{install}
git config core.logAllRefUpdates false
export GIT_AUTHOR_DATE="$(git log -1 --format=%cI)" GIT_COMMITTER_DATE="$(git log -1 --format=%cI)"
git add -A
git -c user.name=SWE-bench -c user.email=setup@swebench.config commit -q --no-verify --allow-empty -m SWE-bench
git config --unset core.logAllRefUpdates
rm -rf .git/logs .git/COMMIT_EDITMSG .git/ORIG_HEAD .git/FETCH_HEAD
git gc -q --prune=now
git status --short
"""
    recipe = _hash(environment.recipe, script, row.task.base_commit, str(settings.depth))
    return Step(
        parent=environment.image,
        script=script,
        image=f"srl-swe/task:{row.task.id.lower()}",
        recipe=recipe,
        changes=(f"WORKDIR {WORKDIR}",),
    )


def _check_history(image: str, row: Row) -> None:
    """ConfigError when the image leads to a commit after the task's."""
    workspace = DockerWorkspace(ContainerSpec(image=image, workdir=WORKDIR))
    try:
        findings = check_history(workspace, WORKDIR, row.task.base_commit)
    finally:
        workspace.close()
    if findings:
        raise ConfigError(f"{image} leads to later commits: {'; '.join(map(str, findings))}")


def image_recipe_or_id(image: str) -> str:
    """What tells one base image from another: its recipe, or its id where it was not made here."""
    from srl_swe_envs.workspaces.docker.engine import engine_errors, thread_client

    recipe = image_recipe(image)
    if recipe is None:
        raise ConfigError(f"image {image} is not on this machine; containers/engine.sh base makes one")
    with engine_errors(f"looking at image {image}"):
        return recipe or str(thread_client().api.inspect_image(image)["Id"])


def _quoted(setting: str) -> str:
    """`NAME="value"` as a Dockerfile wants it."""
    name, _, value = setting.partition("=")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'{name}="{escaped}"'


def _export(setting: str) -> str:
    name, _, value = setting.partition("=")
    return f"{name}={shlex.quote(value)}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()

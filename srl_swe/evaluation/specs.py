"""Specifications of repositories: how each version is installed and tested, read from the TOML files of `specs/`.

One file per repository; `specs/README.md` documents the keys. A user's folder of the same form is read after it and
wins, so that a repository, a version, or another way of installing one is added without touching the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..config import load_config
from .patches import checked_out_files, directives

_HERE = Path(__file__).with_name("specs")
_DELIMITER = "EOF_114329324912"
"""The end of swebench's here-documents; part of the published scripts' text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpec:
    """How a range of versions is installed and tested; keys left out are taken from the file's `[default]`."""

    versions: tuple[str, ...] = ()
    python: str | None = None
    """Interpreter in the base image that the environment is made with."""
    packages: tuple[str, ...] | None = None
    """Requirements that are installed into the environment before the repository."""
    system_packages: tuple[str, ...] | None = None
    """Debian packages that the environment needs."""
    pre_install: tuple[str, ...] | None = None
    """Commands run in the repository before `install`, when the image is built."""
    install: str | None = None
    """The command that installs the repository; the evaluation script runs it again."""
    environment: tuple[str, ...] | None = None
    """`NAME=value` settings that stay in the image."""
    eval_commands: tuple[str, ...] | None = None
    """Commands of the evaluation script before everything else."""
    test_command: str | None = None
    """The test files' names are appended to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySpec:
    """One file of `specs/`."""

    repo: str
    log_parser: str
    eval_type: str = "pass_and_fail"
    test_names: str = "path"
    """How test files are named to the test command: `path`, or `django_module` (no `tests/`, no `.py`, dots)."""
    default: VersionSpec = VersionSpec()
    version: tuple[VersionSpec, ...] = ()

    def __post_init__(self) -> None:
        if self.test_names not in ("path", "django_module"):
            raise ConfigError(f"test_names is 'path' or 'django_module', not {self.test_names!r}")

    def at(self, version: str) -> VersionSpec:
        """The specification of one version, defaults filled in; raises ConfigError when the file does not list it."""
        for spec in self.version:
            if version in spec.versions:
                found = {name: getattr(spec, name) for name in _KEYS if getattr(spec, name) is not None}
                return replace(self.default, versions=(version,), **found)
        known = ", ".join(name for spec in self.version for name in spec.versions)
        raise ConfigError(f"{self.repo} has no specification for version {version}; known: {known}")


_KEYS = (
    "python", "packages", "system_packages", "pre_install", "install", "environment", "eval_commands", "test_command",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Specs:
    """All known repositories."""

    repositories: Mapping[str, RepositorySpec]

    def repository(self, repo: str) -> RepositorySpec:
        """The specification of a repository; raises ConfigError with the way to add one."""
        if repo not in self.repositories:
            known = ", ".join(sorted(self.repositories))
            raise ConfigError(f"no specification of {repo}; add a TOML file with --specs FOLDER (known: {known})")
        return self.repositories[repo]

    def convert(self, record: dict[str, Any]) -> dict[str, Any]:
        """A 5.x row from an old one; raises ConfigError when its repository or version is unknown."""
        repository = self.repository(record["repo"])
        spec = repository.at(str(record["version"]))
        return {
            **record,
            "image": official_image(record["instance_id"]),
            "eval_script": eval_script(repository, spec, record["base_commit"], record["test_patch"]),
            "log_parser": repository.log_parser,
            "eval_type": repository.eval_type,
        }


def read_specs(folders: Sequence[Path] = ()) -> Specs:
    """The built-in specifications and those of the user's folders, later ones winning."""
    found: dict[str, RepositorySpec] = {}
    for folder in (_HERE, *folders):
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of specifications")
        for path in sorted(folder.glob("*.toml")):
            spec = load_config(RepositorySpec, path)
            found[spec.repo] = spec
    return Specs(found)


def official_image(task_id: str) -> str:
    """The published image of a SWE-bench task (upstream's rule: `__` is not allowed in a repository name)."""
    return f"swebench/sweb.eval.x86_64.{task_id.lower().replace('__', '_1776_')}:latest"


def eval_script(repository: RepositorySpec, spec: VersionSpec, base_commit: str, test_patch: str) -> str:
    """The evaluation script of an old row, byte for byte what swebench 5.x publishes for the same row.

    Source: swebench 4.1.0 `harness/test_spec/python.py: make_eval_script_list_py`.
    """
    if not spec.test_command:
        raise ConfigError(f"{repository.repo} {spec.versions[0]}: the specification has no test_command")
    activate = ["source /opt/miniconda3/bin/activate", "conda activate testbed"]
    reset = f"git checkout {base_commit} {' '.join(checked_out_files(test_patch))}"
    names = [_test_name(path, repository.test_names) for path in directives(test_patch)]
    lines = [
        "#!/bin/bash",
        "set -uxo pipefail",
        *activate,
        "cd /testbed",
        *(spec.eval_commands or ()),
        "git config --global --add safe.directory /testbed",
        "cd /testbed",
        "git status",
        "git show",
        f"git -c core.fileMode=false diff {base_commit}",
        *activate,
        *([spec.install] if spec.install else []),
        reset,
        f"git apply -v - <<'{_DELIMITER}'\n{test_patch}\n{_DELIMITER}",
        ": '>>>>> Start Test Output'",
        " ".join([spec.test_command, *names]),
        ": '>>>>> End Test Output'",
        reset,
    ]
    return "\n".join(lines) + "\n"


def _test_name(path: str, style: str) -> str:
    if style == "path":
        return path
    return path.removesuffix(".py").removeprefix("tests/").replace("/", ".")

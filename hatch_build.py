"""Compiles the reward kernel when the package is built; without a C compiler the package is pure Python.

An editable install gets the extension beside its sources, a wheel gets it from a temporary folder. The extension uses
the stable ABI, so that one wheel serves every CPython from 3.11 on; free-threaded interpreters have no stable ABI and
get a wheel of their own.
"""

import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "envs/srl_swe_envs/rewards"
PACKAGE = "srl_swe_envs/rewards"
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")


class KernelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `_gestalt` to wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles, and marks a standard wheel as specific to the platform if that worked."""
        self.folder = Path(tempfile.mkdtemp(prefix="srl-swe-kernel-"))
        extension = compile_kernel(Path(self.root, SOURCES), self.folder)
        if extension is None:
            self.app.display_warning("srl-swe: no working C compiler, so the reward kernel is the pure-Python one")
        if version == "editable":
            place_beside_sources(Path(self.root, SOURCES), extension)
        elif extension is not None:
            build_data["force_include"][str(extension)] = f"{PACKAGE}/{extension.name}"
            build_data["pure_python"] = False
            build_data["tag"] = wheel_tag()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the temporary folder, once the wheel holds its contents."""
        shutil.rmtree(self.folder, ignore_errors=True)


def compile_kernel(sources: Path, folder: Path) -> Path | None:
    """The extension compiled into `folder`, or None where that is not possible."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension(
        "_gestalt",
        sources=[str(sources / "_gestalt.c"), *map(str, sorted((sources / "kernel").glob("*.c")))],
        depends=[str(header) for header in (sources / "kernel").glob("*.h")],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
        py_limited_api=STABLE_ABI,
        optional=True,  # a failure of the compiler is a warning
        extra_compile_args=[] if os.name == "nt" else ["-O3", "-g0", "-std=c11", "-pthread"],
        extra_link_args=[] if os.name == "nt" else ["-pthread"],
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_lib = str(folder)
    command.build_temp = str(folder / "objects")
    command.ensure_finalized()
    command.run()
    compiled = folder / str(command.get_ext_filename("_gestalt"))
    return compiled if compiled.exists() else None


def place_beside_sources(sources: Path, extension: Path | None) -> None:
    """Puts the extension where an editable install finds it; removes that of an earlier install in any case."""
    for stale in (*sources.glob("_gestalt.*so"), *sources.glob("_gestalt.*pyd")):
        stale.unlink()  # never written over: a running process may have it mapped
    if extension is not None:
        shutil.copy2(extension, sources / extension.name)


def wheel_tag() -> str:
    """Tag of a wheel with the extension: cp311-abi3 and this platform, where there is a stable ABI."""
    from packaging.tags import sys_tags

    portable = ("manylinux", "musllinux")  # claims that only an audit of the finished wheel can make
    tag = next(tag for tag in sys_tags() if not tag.platform.startswith(portable))
    return f"cp311-abi3-{tag.platform}" if STABLE_ABI else str(tag)

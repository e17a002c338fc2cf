"""Which paths of a patch don't reach the grading run: those that decide how tests run, and the tests themselves."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_CONTROL_NAMES = frozenset(
    {
        *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg"),
        *("pyproject.toml", ".coveragerc", ".gitattributes", "sitecustomize.py", "usercustomize.py"),
        *("site-packages", "dist-packages"),
    }
)
_CONTROL_SUFFIXES = (".pth", ".pyc", ".pyo", ".egg-info", ".dist-info", "__pycache__")
_TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_IMPORT_ROOTS = frozenset({"src", "lib"})
_TEST_RUNNERS = frozenset(
    {
        *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli", "py", "pygments"),
        *("attr", "attrs", "colorama", "importlib_metadata", "zipp", "typing_extensions", "xdist", "execnet"),
        *("coverage", "pytest_cov", "hypothesis", "nose", "pytest_asyncio", "pytest_mock", "pytest_django"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What one task's patch may not change."""

    test_paths: frozenset[str]
    """Files of the graded tests and of the test patch."""
    test_folders: frozenset[str]
    """Folders that hold them, up to the outermost one that is called a test folder."""
    known: frozenset[str]
    """Top-level entries of the repository and of its `src` and `lib`, as paths."""

    def covers(self, path: str) -> bool:
        """Whether a change of this path is left out."""
        place = PurePosixPath(path)
        whole = {path, *map(str, place.parents)}
        return (
            any(part in _CONTROL_NAMES or part.endswith(_CONTROL_SUFFIXES) for part in place.parts)
            or not whole.isdisjoint(self.test_paths | self.test_folders)
            or self._shadows(place)
        )

    def _shadows(self, place: PurePosixPath) -> bool:
        """Whether a new top-level module or package would be imported instead of Python's or the test runner's."""
        depth = 1 if place.parts[0] in _IMPORT_ROOTS and len(place.parts) > 1 else 0
        top = str(PurePosixPath(*place.parts[: depth + 1]))
        module = place.parts[depth].partition(".")[0]
        return top not in self.known and (module in sys.stdlib_module_names or module in _TEST_RUNNERS)


def protection(test_ids: Iterable[str], test_patch_paths: Collection[str], known: Iterable[str]) -> Protection:
    """The protection of a task whose graded tests are `test_ids` (pytest node ids)."""
    files = {test_id.partition("::")[0] for test_id in test_ids} | set(test_patch_paths)
    folders = {folder for file in files if (folder := _test_folder(PurePosixPath(file)))}
    return Protection(test_paths=frozenset(files), test_folders=frozenset(folders), known=frozenset(known))


def _test_folder(file: PurePosixPath) -> str:
    """The outermost ancestor that is called a test folder, or nothing."""
    for count, part in enumerate(file.parts[:-1], start=1):
        if part in _TEST_FOLDERS:
            return str(PurePosixPath(*file.parts[:count]))
    return ""

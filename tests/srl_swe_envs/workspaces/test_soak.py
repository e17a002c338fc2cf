"""Sixty-four environments stepped at once: none hangs, nothing is left over. The long form is benchmarks/soak.py."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "environments"), [("local", 64), pytest.param("docker", 64, marks=pytest.mark.docker)]
)
def test_many_environments_at_once_leave_nothing(
    backend: str, environments: int, request: pytest.FixtureRequest
) -> None:
    if backend == "docker":
        request.getfixturevalue("base_image")
    figures = soak(backend=backend, environments=environments, seconds=20)
    assert figures["problems"] == "", figures
    assert figures["infra"] == 0, figures
    assert int(figures["steps"]) > 0

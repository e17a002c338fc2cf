"""Copies of a task's package outside its repository are found, in a real image."""

from __future__ import annotations

import pytest

from srl_swe_envs.guards.leaks import find_leaks, remove_caches
from srl_swe_envs.workspaces.docker import ContainerSpec, DockerWorkspace

PLANT = """
mkdir -p /testbed/src/requests /root/.cache/pip/http /opt/other /root/.cache/uv
touch /testbed/src/requests/__init__.py; echo x >/root/.cache/pip/http/x
site=$(python3 -c 'import site; print(site.getsitepackages()[0])'); mkdir -p $site/requests; touch $site/requests/api.py
git init -q --bare /opt/other/requests.git; touch /opt/other/requests-2.99.tar.gz
mkdir -p /opt/requests; touch /opt/requests/readme.txt
"""


@pytest.mark.docker
def test_caches_copies_archives_and_clones_are_found_outside_the_work_tree_only(base_image: str) -> None:
    with DockerWorkspace(ContainerSpec(image=base_image)) as workspace:
        workspace.run(PLANT)
        leaks = find_leaks(workspace, workdir="/testbed", package="requests")
        found = {kind: {leak.path for leak in leaks if leak.kind == kind} for kind in {leak.kind for leak in leaks}}
        assert found["package_cache"] == {"/root/.cache/pip"}
        assert found["other_repository"] == {"/opt/other/requests.git"}
        assert "/opt/other/requests-2.99.tar.gz" in found["archive"]
        assert any(path.endswith("-packages/requests") for path in found["installed_copy"])
        assert any(path.endswith("pip/_vendor/requests") for path in found["vendored_copy"])
        assert not any(leak.path.startswith("/testbed") or leak.path == "/opt/requests" for leak in leaks)
        remove_caches(workspace, leaks)
        kinds = {leak.kind for leak in find_leaks(workspace, workdir="/testbed")}
        assert kinds == {"other_repository"}

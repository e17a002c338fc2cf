"""Episodes on SWE-bench rows: an agent's container, and another that judges the patch alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srl_swe.domains.live_tasks import live_tasks

from .rowset import GOLD, NOT_APPLICABLE, WRONG, row, write_row_file

pytestmark = pytest.mark.docker


def test_a_patch_made_in_one_container_is_judged_by_the_rows_tests_in_another(row_image: str, tmp_path: Path) -> None:
    rows = write_row_file(tmp_path / "rows.jsonl", [row()])
    run = f"live-rows-{os.getpid()}"
    with live_tasks(str(rows), backend="docker", run=run, warm=0, timeout_s=120) as live:
        (task,) = live.tasks
        workspace = live.open_workspace(task)
        try:
            workspace.run("sed -i 's/-/+/' add.sh; echo 'exit 0' > tests/add", timeout_s=60)
            patch = workspace.diff()
        finally:
            workspace.close()
        assert "tests/add" in patch  # which is restored before it is judged
        judged = [live.judge(task, one) for one in (patch, GOLD, WRONG, "", NOT_APPLICABLE)]
    assert judged == [True, True, False, False, False]

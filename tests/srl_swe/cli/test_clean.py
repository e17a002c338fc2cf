"""`srl-swe clean` takes what a killed run left and leaves a living run's folder alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from srl_swe.cli import main
from srl_swe_envs.workspaces.leases import leased_directory


def test_the_folder_of_a_dead_run_goes_and_that_of_a_living_one_stays(monkeypatch, capsys):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        source = "from srl_swe_envs.workspaces.leases import make_leased_directory as make; print(make('left'))"
        environment = {**os.environ, "TMPDIR": folder, "PYTHONPATH": os.pathsep.join(sys.path)}
        left = Path(subprocess.check_output([sys.executable, "-c", source], env=environment, text=True).strip())
        assert left.is_dir()
        with leased_directory("living") as living:
            main(["clean"])  # the exit code depends on whether an engine answers
            assert living.is_dir()
        assert not left.exists()
    said = capsys.readouterr().out
    assert left.name in said

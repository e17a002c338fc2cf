"""FSDP2 on two ranks of CPU: shards of the weights, whole gradients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_a_sharded_model_gets_the_gradients_of_a_whole_one() -> None:
    script = Path(__file__).with_name("sharded.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'envs'}"}
    done = subprocess.run(launcher, capture_output=True, text=True, env=environment, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    worst = json.loads(done.stdout.splitlines()[-1])
    assert len(worst) == 8
    assert max(worst.values()) < 1e-5, worst

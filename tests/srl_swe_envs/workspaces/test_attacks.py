from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from benchmarks.attacks import ATTACKS, DISK_BYTES, MEMORY_BYTES, OUTPUT_CHARS, PIDS, Attack
from srl_swe_envs.workspaces.protocol import Workspace, WorkspaceLimits

SLACK_S = 10.0  # beyond an attack's own limit; killing and answering takes milliseconds on an idle machine


@pytest.fixture(scope="module")
def shared_workspace(workspace_factory: Callable[..., Workspace]) -> Workspace:
    limits = WorkspaceLimits(memory_bytes=MEMORY_BYTES, disk_bytes=DISK_BYTES, pids=PIDS, output_chars=OUTPUT_CHARS)
    return workspace_factory(limits=limits)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=lambda attack: attack.name)
def test_an_attack_ends_in_an_observation_and_a_living_workspace(shared_workspace: Workspace, attack: Attack) -> None:
    workspace = shared_workspace
    workspace.reset()
    started = time.monotonic()
    result = workspace.run(attack.command, timeout_s=attack.timeout_s)
    assert time.monotonic() - started < attack.timeout_s + SLACK_S
    assert result.timed_out == attack.timed_out, result
    if attack.timed_out:
        assert result.exit_code is None
    elif attack.exit_code is not None:
        assert result.exit_code == attack.exit_code, result
    assert attack.contains in result.output
    assert not attack.lacks or attack.lacks not in result.output
    assert len(result.output) <= OUTPUT_CHARS + 100
    after = workspace.run(attack.then, timeout_s=10)
    if attack.fatal:
        assert after.exit_code in (126, 127), after
        assert after.output
        workspace.reset()
        after = workspace.run("echo alive", timeout_s=10)
        assert after.output == "alive\n"
    else:
        assert after.output == attack.then_output, after

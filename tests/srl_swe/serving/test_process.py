"""A server of the run's own: it is waited for, watched, and gone when its run is gone, however that ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from srl_swe.serving.errors import ServerError
from srl_swe.serving.http_json import exchange
from srl_swe.serving.process import ServerCommand, running_server
from srl_swe_envs.errors import ConfigError

FAKE = """
import http.server, json, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])  # as vLLM has engine processes
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"data": [{"id": f"{os.getpid()} {child.pid}"}]}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""
COMMAND = ServerCommand(command=(sys.executable, "-c", FAKE), start_timeout_s=60)


def pids_of(url: str) -> list[int]:
    """The server's process and its child."""
    name = exchange(f"{url}/v1/models", timeout_s=10)["data"][0]["id"]
    return [int(pid) for pid in name.split()]


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int], patience_s: float = 30.0) -> bool:
    deadline = time.monotonic() + patience_s
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_server_and_its_children_end_with_the_block() -> None:
    with running_server(COMMAND) as server:
        pids = pids_of(server.url)
        server.check()
    assert gone(pids)


def test_a_server_that_ends_in_the_middle_is_named_with_its_status(tmp_path: Path) -> None:
    command = ServerCommand(command=COMMAND.command, name="the server", log=tmp_path / "server.log")
    with running_server(command) as server:
        os.kill(pids_of(server.url)[0], signal.SIGKILL)
        server.process.wait(30)
        with pytest.raises(ServerError, match=r"the server ended with status 137; its log: .*server\.log"):
            server.check()


def test_a_server_does_not_outlive_a_run_that_was_killed(tmp_path: Path) -> None:
    run = """
import sys, time
from tests.srl_swe.serving.test_process import COMMAND
from srl_swe.serving.process import running_server
with running_server(COMMAND) as server:
    print(server.url, flush=True)
    time.sleep(300)
"""
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    pids = pids_of(process.stdout.readline().strip())
    process.kill()
    process.wait()
    assert gone(pids)


def test_a_program_that_does_not_exist_is_the_users_mistake() -> None:
    with (
        pytest.raises(ConfigError, match="/nowhere/python can't be started"),
        running_server(ServerCommand(command=("/nowhere/python",))),
    ):
        pass

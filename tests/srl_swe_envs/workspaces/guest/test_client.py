from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.workspaces.guest import client as client_module
from srl_swe_envs.workspaces.guest import wire
from srl_swe_envs.workspaces.guest.client import GuestClient, GuestSetup

HELLO = wire.encode("hello", {"protocol": wire.PROTOCOL})


@contextmanager
def guest_that(answers: Callable[[socket.socket], None], hello: bytes = HELLO) -> Iterator[socket.socket]:
    """The host's end of a socket at whose other end a guest does as it likes."""
    mine, theirs = socket.socketpair()

    def live() -> None:
        with theirs, suppress(OSError):  # the client hangs up on a liar in mid-sentence
            theirs.sendall(hello)
            while data := theirs.recv(1 << 16):
                if data.startswith(b"run"):
                    answers(theirs)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        mine.close()
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"x" * 100_000, "header"),
        (b"done id=1\n", "not a header"),
        (b"done id=1 length=-5\n", "negative"),
        (b"done id=1 length=99999999999\n", "payload of"),
        (b"done id=7 exit=0 length=0\n", "unexpected answer"),
        (b"hello id=1 length=0\n", "unexpected answer"),
        (b"done id=1 elided=%zz length=0\n", "broken"),
    ],
)
def test_a_lying_guest_is_an_error_and_is_not_spoken_to_again(answer: bytes, complaint: str) -> None:
    with guest_that(lambda end: end.sendall(answer)) as connection:
        client = GuestClient(connection)
        with pytest.raises(WorkspaceError, match=complaint):
            client.run("true", timeout_s=5)
        assert not client.alive
        with pytest.raises(WorkspaceError, match="gone"):
            client.ping()


def test_a_silent_guest_is_an_error_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "GRACE_S", 0.2)
    with guest_that(lambda end: None) as connection:
        client = GuestClient(connection)
        with pytest.raises(WorkspaceError, match="does not answer"):
            client.run("true", timeout_s=0.1)


def test_a_guest_of_another_protocol_is_refused() -> None:
    hello = wire.encode("hello", {"protocol": wire.PROTOCOL + 1})
    with guest_that(lambda end: None, hello) as connection, pytest.raises(WorkspaceError, match="hello"):
        GuestClient(connection)


def test_an_answer_that_trickles_in_is_put_together() -> None:
    def trickle(end: socket.socket) -> None:
        for byte in wire.encode("done", {"id": 1, "exit": 3, "us": 5}, b"out\n"):
            end.sendall(bytes([byte]))

    with guest_that(trickle) as connection:
        result = GuestClient(connection).run("true", timeout_s=5)
    assert (result.output, result.exit_code) == ("out\n", 3)


def pythons() -> list[str]:
    """This one, the system's, and those that pyenv has."""
    others = [path for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")) if path.exists()]
    return list(
        dict.fromkeys([sys.executable, *filter(None, [shutil.which("python3", path="/usr/bin")]), *map(str, others)])
    )


@pytest.mark.parametrize("python", pythons())
def test_the_agent_connects_out_and_serves_under_any_python(python: str, tmp_path: Path) -> None:
    address = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(1)
        agent = subprocess.Popen(
            [python, "-E", "-s", "-S", "-B", "-m", "guest.agent", address], cwd=Path(wire.__file__).parents[1]
        )
        connection, _ = listener.accept()
    with GuestClient(connection) as client:
        client.setup(GuestSetup(workdir=str(tmp_path), env={"A": "1"}))
        assert client.run("export A=2; cd /; echo $A", timeout_s=10, session=True).output == "2\n"
        assert client.run("echo $A; pwd", timeout_s=10, session=True).output == "2\n/\n"
        assert client.run("echo $A; pwd", timeout_s=10).output == f"1\n{tmp_path}\n"
        assert client.run(f"x={'y' * 300_000}; echo ${{#x}}", timeout_s=10, session=True).output == "300000\n"
        assert client.run("sleep 100 & sleep 100", timeout_s=0.2).timed_out
        state = client.state()
        client.run("export A=3; cd /usr", timeout_s=10, session=True)
        client.resume(state)
        assert client.run("echo $A; pwd", timeout_s=10, session=True).output == "2\n/\n"
        client.run("sleep 100 &", timeout_s=10)
        assert client.sweep() == 0
    assert agent.wait(10) == 0

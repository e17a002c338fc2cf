"""Model servers that misbehave, as real HTTP servers: what becomes a reply, what is tried again, what is an error."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from srl_swe.conversations import Message
from srl_swe.policies import OpenAIServer, PolicyError, Retry, Sampling, Scripted
from srl_swe.policies.scripted import read_script
from srl_swe.policies.vllm_server import VllmSettings, vllm_server
from srl_swe_envs.errors import ConfigError

ASK = (Message(role="user", content="fix it"),)
GOOD = {
    "choices": [{"message": {"content": "done"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2},
}
Answer = Callable[[BaseHTTPRequestHandler, int], None]


def send(handler: BaseHTTPRequestHandler, body: Any, status: int = 200) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers the n-th request with `answer(handler, n)`; its base URL and the requests' bodies."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer(self, len(asked))

        def do_GET(self) -> None:
            send(self, {"data": [{"id": "the-model"}]})

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that have hung up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def ask(url: str, *, timeout_s: float = 5.0, attempts: int = 3) -> Any:
    retry = Retry(timeout_s=timeout_s, attempts=attempts, first_pause_s=0.01)
    return OpenAIServer(base_url=url, model="m", retry=retry).complete(ASK, Sampling(max_tokens=9, seed=4))


def test_a_good_answer_is_a_completion_with_its_counts():
    with serving(lambda handler, n: send(handler, GOOD)) as (url, asked):
        found = ask(url)
    assert (found.text, found.finish, found.prompt_tokens, found.completion_tokens) == ("done", "stop", 7, 2)
    assert asked == [
        {
            "model": "m", "messages": [{"role": "user", "content": "fix it"}], "temperature": 0.0, "top_p": 1.0,
            "max_tokens": 9, "seed": 4,
        }
    ]  # fmt: skip


def hang(handler: BaseHTTPRequestHandler, n: int) -> None:
    time.sleep(30)


def drip(handler: BaseHTTPRequestHandler, n: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(300):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)


def cut_off(handler: BaseHTTPRequestHandler, n: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang_up(handler: BaseHTTPRequestHandler, n: int) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        hang,
        drip,
        cut_off,
        hang_up,
        lambda handler, n: send(handler, b"<html>gateway</html>"),
        lambda handler, n: send(handler, b"\xff\xfe\x00"),
        lambda handler, n: send(handler, {"choices": []}),
        lambda handler, n: send(handler, {"choices": [{"message": {"content": {"a": 1}}}]}),
        lambda handler, n: send(handler, []),
        lambda handler, n: send(handler, {"error": "busy"}, 503),
        lambda handler, n: send(handler, {"error": "slow down"}, 429),
    ],
    ids=["hangs", "drips", "cut off", "hangs up", "html", "bytes", "empty", "wrong type", "list", "503", "429"],
)
def test_a_server_that_misbehaves_is_asked_again_then_given_up_with_a_policy_error(answer: Answer):
    with serving(answer) as (url, asked):
        with pytest.raises(PolicyError, match="no usable answer in 2 attempts"):
            ask(url, timeout_s=2.0 if answer in (hang, drip) else 30.0, attempts=2)
        assert len(asked) == 2


def test_a_server_that_recovers_is_not_noticed():
    def answer(handler: BaseHTTPRequestHandler, n: int) -> None:
        send(handler, GOOD) if n == 3 else send(handler, {}, 500)

    with serving(answer) as (url, asked):
        assert ask(url).text == "done"
    assert len(asked) == 3


def test_a_dead_server_is_a_policy_error():
    with serving(lambda handler, n: send(handler, GOOD)) as (url, _):
        pass
    with pytest.raises(PolicyError, match="no usable answer"):
        ask(url, attempts=2)


def test_a_refused_request_is_not_repeated():
    with serving(lambda handler, n: send(handler, {"error": "no such model"}, 404)) as (url, asked):
        with pytest.raises(PolicyError, match="refused the request: HTTP 404"):
            ask(url)
        assert len(asked) == 1


def test_a_prompt_beyond_the_context_is_a_reply_that_hit_its_limit_not_a_failure():
    body = {"error": {"message": "This model's maximum context length is 4096 tokens."}}
    with serving(lambda handler, n: send(handler, body, 400)) as (url, _):
        found = ask(url)
    assert (found.text, found.finish, found.completion_tokens) == ("", "length", 0)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://"])
def test_a_base_url_that_is_none_is_refused_at_once(url: str):
    with pytest.raises(ConfigError, match="is not a base URL"):
        OpenAIServer(base_url=url, model="m")


def test_the_key_is_sent_and_never_shown():
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler, n: int) -> None:
        seen.append(handler.headers["Authorization"])
        send(handler, GOOD)

    with serving(answer) as (url, _):
        server = OpenAIServer(base_url=url, model="m", api_key="s3cret")
        server.complete(ASK, Sampling())
    assert seen == ["Bearer s3cret"]
    assert "s3cret" not in repr(server)


FAKE = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"data": [{"id": "m"}]}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers()
        self.wfile.write(data)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def test_a_server_process_of_our_own_is_waited_for_and_ends_with_the_block(tmp_path: Path):
    with vllm_server(VllmSettings(model="m", command=(sys.executable, "-c", FAKE))) as server:
        assert server.models() == ("m",)
    with pytest.raises(PolicyError):
        server.models()


def test_a_server_process_that_dies_while_starting_is_named_with_its_status_and_log(tmp_path: Path):
    command = (sys.executable, "-c", "print('no GPU'); raise SystemExit(3)")
    settings = VllmSettings(model="m", command=command, log=tmp_path / "server.log")
    with pytest.raises(PolicyError, match=r"ended with status 3 while starting; its log: .*server\.log"):  # noqa: SIM117
        with vllm_server(settings):
            pass
    assert "no GPU" in (tmp_path / "server.log").read_text()


def test_a_scripted_policy_follows_the_conversations_turn(tmp_path: Path):
    script = tmp_path / "script.txt"
    script.write_text("first\n=====\nsecond\nline\n")
    policy = read_script(script)
    turns = [Message(role="assistant", content="x")]
    asked = [policy.complete([*ASK, *(turns * n)], Sampling()).text for n in range(4)]
    assert asked == ["first", "second\nline", "second\nline", "second\nline"]
    with pytest.raises(ConfigError, match="at least one reply"):
        Scripted([])

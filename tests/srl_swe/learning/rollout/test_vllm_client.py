"""Servers that misbehave, as real HTTP servers: an error names what happened, and nothing of it becomes a reply."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from srl_swe.learning.rollout.sampling import SamplingParams
from srl_swe.learning.rollout.vllm_client import Prompt, VllmClient
from srl_swe.serving.errors import ServerError

PROMPTS = (Prompt(token_ids=(5, 6, 7), seed=1), Prompt(token_ids=(5, 6, 7, 8), seed=2))
SAMPLING = SamplingParams(max_new_tokens=9, temperature=0.7, stop_token_ids=(2,))
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


def choice(index: int, token_ids: list[int], **changed: Any) -> dict[str, Any]:
    logprobs = {"token_logprobs": [-0.5] * len(token_ids)}
    return {"index": index, "token_ids": token_ids, "logprobs": logprobs, "finish_reason": "stop", **changed}


@contextmanager
def serving(answer: Answer, *, timeout_s: float = 30) -> Iterator[tuple[VllmClient, list[dict[str, Any]]]]:
    """A client of a server that answers a request's body with a status and JSON; and the bodies it got."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            status, said = answer(body)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that have hung up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield VllmClient(url=f"http://127.0.0.1:{server.server_port}", request_timeout_s=timeout_s), asked
    finally:
        server.shutdown()
        server.server_close()


def test_replies_are_the_servers_token_ids_in_the_order_of_the_prompts() -> None:
    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        length = len(body["prompt"])
        if length == 3:
            time.sleep(0.3)  # the first prompt's answer comes last
        return 200, {"choices": [choice(1, [length, 9, 9], finish_reason="length"), choice(0, [length, 2])]}

    with serving(answer) as (client, _):
        found = client.complete(PROMPTS, replies=2, sampling=SAMPLING, model="m")
    assert [[reply.token_ids for reply in group] for group in found] == [[(3, 2), (3, 9, 9)], [(4, 2), (4, 9, 9)]]
    assert [reply.stopped for reply in found[0]] == [True, False]
    assert found[0][0].logps == (-0.5, -0.5)


def test_a_request_leaves_nothing_to_the_models_generation_config() -> None:
    with serving(lambda body: (200, {"choices": [choice(0, [2])]})) as (client, asked):
        client.complete(PROMPTS[:1], replies=1, sampling=SAMPLING, model="m")
    assert asked[0] == {
        "model": "m", "prompt": [5, 6, 7], "n": 1, "seed": 1, "max_tokens": 9, "temperature": 0.7, "top_p": 1.0,
        "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
        "ignore_eos": True, "stop_token_ids": [2], "logprobs": 0, "return_token_ids": True,
        "skip_special_tokens": False,
    }  # fmt: skip


def hang(body: dict[str, Any]) -> tuple[int, Any]:
    time.sleep(20)
    return 200, {}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (hang, "did not answer /v1/completions within 2 s: it hangs"),
        (lambda body: (400, {"error": "too long"}), "refused a prompt of 3 tokens: HTTP 400"),
        (lambda body: (200, {"choices": [{**choice(0, [4]), "token_ids": None}]}), "without token ids"),
        (lambda body: (200, {"choices": [choice(0, [4], logprobs=None)]}), "without token ids"),
        (lambda body: (200, {"choices": [choice(0, [4, 5], logprobs={"token_logprobs": [-1]})]}), "2 tokens with 1"),
        (lambda body: (200, {"choices": [choice(0, [4], finish_reason="abort")]}), "ended by 'abort'"),
        (lambda body: (200, {"choices": []}), "gave 0 replies instead of 1"),
        (lambda body: (200, b"<html>"), "JSONDecodeError"),
        (lambda body: (500, {"error": "EngineDeadError"}), "HTTP 500: .*EngineDeadError"),
    ],
    ids=["hangs", "refuses", "no ids", "no logprobs", "too few logprobs", "aborted", "empty", "html", "dead engine"],
)
def test_a_server_that_misbehaves_is_an_error_and_never_a_reply(answer: Answer, message: str) -> None:
    timeout_s = 2 if answer is hang else 30
    with serving(answer, timeout_s=timeout_s) as (client, _), pytest.raises(ServerError, match=message):
        client.complete(PROMPTS[:1], replies=1, sampling=SAMPLING, model="m")


def test_a_server_that_is_gone_is_named_by_what_watches_it() -> None:
    def check() -> None:
        raise ServerError("the vLLM server ended with status 137")

    with serving(lambda body: (200, {})) as (client, _):
        url = client.url
    with pytest.raises(ServerError, match="ended with status 137"):
        VllmClient(url=url, still_there=check).complete(PROMPTS, replies=1, sampling=SAMPLING, model="m")

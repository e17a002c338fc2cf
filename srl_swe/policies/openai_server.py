"""A policy behind any OpenAI-compatible server (`/chat/completions`), by the standard library's HTTP.

A request that fails for the server's sake (no connection, time-out, 5xx, 429, an answer that is not what the protocol
says) is asked again with a growing pause, then gives up with a PolicyError. A request that the server refuses for what
it says (4xx) is not asked again; one that is longer than the model's context is a completion of no tokens that hit
the `length` limit, because that is the model's limit and not the server's failure.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..conversations import Message
from ..serving.errors import RefusedError
from ..serving.http_json import FAILURES, exchange, is_base_url, start_of
from .protocol import Completion, Finish, PolicyError, Sampling

_CONTEXT_WORDS = ("context length", "context_length", "maximum context", "max_model_len", "too many tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How long and how often a server is asked."""

    timeout_s: float = 300.0
    """For one whole answer."""
    attempts: int = 4
    first_pause_s: float = 1.0
    """Doubled after each failure, with up to half of it added at random so that workers do not ask in step."""


@dataclass(slots=True, kw_only=True)
class OpenAIServer:
    """A chat model at a base URL such as `http://127.0.0.1:8000/v1`."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    retry: Retry = field(default_factory=Retry)
    extra: dict[str, Any] = field(default_factory=dict)
    """More fields of the request body, e.g. `{"chat_template_kwargs": {"enable_thinking": False}}`."""

    def __post_init__(self) -> None:
        if not is_base_url(self.base_url):
            raise ConfigError(f"{self.base_url!r} is not a base URL; write for example http://127.0.0.1:8000/v1")

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model

    def complete(self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[object] = ()) -> Completion:
        """The first choice of the answer; raises PolicyError after the last attempt."""
        body = self._request(messages, sampling, tools)
        started = time.monotonic()
        failure = ""
        for attempt in range(self.retry.attempts):
            if attempt:
                time.sleep(self.retry.first_pause_s * 2 ** (attempt - 1) * (1 + random.random() / 2))
            try:
                answer = self._exchange("/chat/completions", body)
                return _completion(answer, time.monotonic() - started)
            except RefusedError as error:
                if any(word in str(error).lower() for word in _CONTEXT_WORDS):
                    return Completion(text="", finish="length", prompt_tokens=0, completion_tokens=0)
                raise PolicyError(f"{self.base_url} refused the request: {error}") from error
            except FAILURES as error:
                failure = f"{type(error).__name__}: {error}"
        raise PolicyError(f"{self.base_url} gave no usable answer in {self.retry.attempts} attempts; last: {failure}")

    def models(self) -> tuple[str, ...]:
        """The names of the models that the server offers; raises PolicyError when it does not say."""
        try:
            answer = self._exchange("/models", None)
            return tuple(str(item["id"]) for item in answer["data"])
        except (*FAILURES, KeyError, TypeError, RefusedError) as error:
            raise PolicyError(f"{self.base_url}/models: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Nothing is held: each request has its own connection."""

    def _exchange(self, path: str, body: Any) -> Any:
        url = self.base_url.rstrip("/") + path
        return exchange(url, body, timeout_s=self.retry.timeout_s, api_key=self.api_key)

    def _request(self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[object]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            **self.extra,
        }
        if sampling.stop:
            request["stop"] = list(sampling.stop)
        if sampling.seed is not None:
            request["seed"] = sampling.seed
        if tools:
            # The model's calls are wanted as the text that it wrote, not as the server's reading of it.
            request |= {"tools": list(tools), "tool_choice": "none"}
        return request


def _completion(answer: Any, duration_s: float) -> Completion:
    """The first choice of a chat completion; ValueError when the answer is not one."""
    try:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        text = choice["message"]["content"]
        finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise TypeError("content is not text")
        prompt, completion = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a chat completion ({error}): {start_of(json.dumps(answer).encode())}") from error
    return Completion(
        text=text, finish=finish, prompt_tokens=prompt, completion_tokens=completion, duration_s=duration_s
    )

"""A vLLM server asked for replies: prompt token ids out, token ids and log-probabilities back.

Every sampling parameter is sent. What a request leaves out, a server takes from the model's `generation_config.json`,
where a `top_k` or a repetition penalty would change the distribution behind the log-probabilities.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ...serving.errors import RefusedError, ServerError
from ...serving.http_json import FAILURES, exchange
from .sampling import DrawnReply, SamplingParams

_ATTEMPTS = 3
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What one group of replies continues."""

    token_ids: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmClient:
    """A server at `url`, which ends before `/v1`."""

    url: str
    request_timeout_s: float = 900.0
    requests_at_once: int = 64
    still_there: Callable[[], None] = lambda: None
    """Raises ServerError with a better reason than a broken connection when the server is known to have ended."""

    def complete(
        self, prompts: Sequence[Prompt], *, replies: int, sampling: SamplingParams, model: str
    ) -> tuple[tuple[DrawnReply, ...], ...]:
        """`replies` replies to every prompt, in order; raises ServerError when one can't be had."""
        if not prompts:
            return ()
        with ThreadPoolExecutor(max_workers=min(self.requests_at_once, len(prompts))) as pool:
            asked = [pool.submit(self._replies, prompt, replies, sampling, model) for prompt in prompts]
            try:
                return tuple(one.result() for one in asked)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def call(self, path: str, body: Any = None, *, timeout_s: float | None = None, reads: bool = True) -> Any:
        """The answer to one request, asked again after failures that may pass; raises ServerError, RefusedError.

        `reads=False`: success is all that is wanted, as of requests whose answer is no JSON.

        A time-out is not tried again: a server that hangs would only be waited for longer.
        """
        failure: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S * attempt)
            try:
                return exchange(self.url + path, body, timeout_s=timeout_s or self.request_timeout_s, reads=reads)
            except TimeoutError as error:
                self.still_there()
                waited = timeout_s or self.request_timeout_s
                raise ServerError(f"{self.url} did not answer {path} within {waited:.0f} s: it hangs") from error
            except FAILURES as error:
                self.still_there()
                failure = error
        raise ServerError(f"{self.url}{path}: {type(failure).__name__}: {failure}") from failure

    def _replies(self, prompt: Prompt, replies: int, sampling: SamplingParams, model: str) -> tuple[DrawnReply, ...]:
        body = {
            "model": model,
            "prompt": list(prompt.token_ids),
            "n": replies,
            "seed": prompt.seed,
            "max_tokens": sampling.max_new_tokens,
            "temperature": 0.0 if sampling.greedy else sampling.temperature,
            "top_p": 1.0 if sampling.greedy else sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "ignore_eos": True,
            "stop_token_ids": list(sampling.stop_token_ids),
            "logprobs": 0,
            "return_token_ids": True,
            "skip_special_tokens": False,
        }
        try:
            answer = self.call("/v1/completions", body)
        except RefusedError as error:
            raise ServerError(f"{self.url} refused a prompt of {len(prompt.token_ids)} tokens: {error}") from error
        try:
            choices = sorted(answer["choices"], key=lambda choice: choice["index"])
            found = tuple(_drawn(choice, sampling) for choice in choices)
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"{self.url} gave an answer without token ids and log-probabilities: {error}") from error
        if len(found) != replies:
            raise ServerError(f"{self.url} gave {len(found)} replies instead of {replies}")
        return found


def _drawn(choice: Any, sampling: SamplingParams) -> DrawnReply:
    """One reply; ValueError when it is not whole."""
    token_ids = tuple(int(token) for token in choice["token_ids"])
    logps = tuple(float(logp) for logp in choice["logprobs"]["token_logprobs"])
    if not token_ids or len(token_ids) != len(logps):
        raise ValueError(f"{len(token_ids)} tokens with {len(logps)} log-probabilities")
    if choice["finish_reason"] not in ("stop", "length"):
        raise ValueError(f"a reply ended by {choice['finish_reason']!r}")
    return DrawnReply(token_ids=token_ids, logps=logps, stopped=token_ids[-1] in sampling.stop_token_ids)

"""`--policy` as something that gives patches: `gold`, `empty`, `predictions:FILE`, or a model asked by a protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from srl_swe_envs.actions import Submit
from srl_swe_envs.dialects import Reply, render_reply
from srl_swe_envs.errors import ConfigError

from ..policies.openai_server import OpenAIServer, Retry
from ..policies.protocol import Policy, Sampling
from ..policies.scripted import Scripted, read_script
from .patch_sources import Empty, Gold, PatchSource, read_predictions
from .protocols import Protocol
from .run import ModelSource

MODELS = "checkpoint:DIR, vllm:DIR, openai:URL, scripted or scripted:FILE"
"""What `open_policy` knows."""
_PATCHES = "predictions:FILE, gold, empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """What the model policies need beside their place."""

    dialect: str = "xml"
    model: str = ""
    """Name of the model at an OpenAI-compatible server; empty takes the only one that it offers."""
    api_key: str = field(default="", repr=False)
    request_timeout_s: float = 300.0
    device: str = "auto"
    max_batch: int = 16
    vllm_arguments: tuple[str, ...] = ()
    vllm_python: str = ""
    """The interpreter of the environment that vLLM is installed in; empty: this one's."""
    vllm_log: Path | None = None


@contextlib.contextmanager
def open_source(
    spec: str, options: ModelOptions, protocol: Callable[[], Protocol], sampling: Sampling, *, seed: int = 0
) -> Iterator[PatchSource]:
    """The source of a `--policy`; what it starts ends with the block. Raises ConfigError, PolicyError."""
    kind, _, place = spec.partition(":")
    if kind == "gold" and not place:
        yield Gold()
    elif kind == "empty" and not place:
        yield Empty()
    elif kind == "predictions" and place:
        yield read_predictions(Path(place))
    else:
        with open_policy(kind, place, options, beside=_PATCHES) as policy:
            yield ModelSource(policy=policy, protocol=protocol(), sampling=sampling, seed=seed)


def check_policy(spec: str) -> None:
    """Whether `--policy` is one that `open_source` knows, before anything is made for it; raises ConfigError."""
    kind, _, place = spec.partition(":")
    placeless, placed = {"gold", "empty", "scripted"}, {"predictions", "scripted", "checkpoint", "vllm", "openai"}
    if kind not in (placed if place else placeless):
        raise _unknown(kind, place, _PATCHES)
    if kind in ("predictions", "scripted") and place and not Path(place).is_file():
        raise ConfigError(f"{place}: can't be read: no such file")


def _unknown(kind: str, place: str, beside: str) -> ConfigError:
    known = f"{beside}, {MODELS}" if beside else MODELS
    return ConfigError(f"--policy {kind}{':' if place else ''}{place} is not one of {known}")


def asks_a_model(spec: str) -> bool:
    """Whether a protocol is used at all."""
    return spec.partition(":")[0] not in ("gold", "empty", "predictions")


@contextlib.contextmanager
def open_policy(kind: str, place: str, options: ModelOptions, *, beside: str = "") -> Iterator[Policy]:
    """The model of `checkpoint:`, `vllm:`, `openai:` or `scripted`, while the block lasts; ConfigError, PolicyError.

    beside: what the caller takes as well, to be named in an error.
    """
    retry = Retry(timeout_s=options.request_timeout_s)
    if kind == "scripted":
        submit = render_reply(Reply(thought="Nothing to do.", action=Submit()), options.dialect)
        yield read_script(Path(place)) if place else Scripted([submit])
    elif kind == "checkpoint" and place:
        from ..policies.local_model import load_local_model

        model = load_local_model(Path(place), device=options.device, max_batch=options.max_batch)
        try:
            yield model
        finally:
            model.close()
    elif kind == "openai" and place:
        yield _server(place, options, retry)
    elif kind == "vllm" and place:
        from ..policies.vllm_server import VllmSettings, vllm_server

        settings = VllmSettings(
            model=place,
            arguments=options.vllm_arguments,
            python=options.vllm_python,
            log=options.vllm_log,
            retry=retry,
        )
        with vllm_server(settings) as server:
            yield server
    else:
        raise _unknown(kind, place, beside)


def _server(url: str, options: ModelOptions, retry: Retry) -> OpenAIServer:
    """The server's model: the one named, or the only one there is."""
    if options.model:
        return OpenAIServer(base_url=url, model=options.model, api_key=options.api_key, retry=retry)
    names = OpenAIServer(base_url=url, model="", api_key=options.api_key, retry=retry).models()
    if len(names) != 1:
        raise ConfigError(f"{url} offers {len(names)} models ({', '.join(names)}); name one with --model")
    return OpenAIServer(base_url=url, model=names[0], api_key=options.api_key, retry=retry)

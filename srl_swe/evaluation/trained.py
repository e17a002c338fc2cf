"""A training run's folder named as a policy: its best model, the dialect it learned, and the data to check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..config import read_text, read_toml
from ..prompts import OBSERVATION_CHARS, shown_rounds
from .options import Options


def with_trained_run(options: Options) -> Options:
    """Options whose `checkpoint:RUN` or `vllm:RUN` names the run's best model; others as they are.

    The dialect and what is shown of history and observations are the run's, and its training data are checked against
    the evaluated tasks. Raises ConfigError when
    the run has not ended, or learned from prompts of its own that `--prompts` does not name.
    """
    kind, _, place = options.policy.partition(":")
    run = Path(place)
    if kind not in ("checkpoint", "vllm") or not (run / "config.toml").is_file():
        return options
    prompt = read_toml(run / "config.toml").get("prompt", {})
    if prompt.get("folder") and options.prompts is None:
        raise ConfigError(f"{run}: it learned from the prompts in {prompt['folder']}; name them with --prompts")
    return replace(
        options,
        policy=f"{kind}:{best_model(run)}",
        model=replace(options.model, dialect=prompt.get("dialect", options.model.dialect)),
        several=options.several or prompt.get("merge_steps", 1) != 1,
        observation_chars=prompt.get("observation_chars", OBSERVATION_CHARS),
        last_rounds=shown_rounds(prompt.get("history", "full")),
        trained_in=options.trained_in or run,
    )


def best_model(run: Path) -> Path:
    """The model directory that a training run's summary names; raises ConfigError when it has not ended."""
    summary = run / "summary.json"
    if not summary.is_file():
        raise ConfigError(
            f"{run}: the training run has not ended; run `srl-swe train` again, or name a checkpoint folder"
        )
    named = Path(run_record(summary).get("model", ""))
    inside = run.joinpath(*named.parts[-2:])  # the run's folder may have been moved
    if not named.is_dir() and not inside.is_dir():
        raise ConfigError(f"{summary}: its model {named} is not there")
    return inside if inside.is_dir() else named


def run_record(path: Path) -> dict[str, Any]:
    """A JSON object that a training run wrote; raises ConfigError when there is none."""
    try:
        record = json.loads(read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: a JSON object is expected")
    return record

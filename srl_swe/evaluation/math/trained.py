"""A training run's folder named as a policy: its best model, how it was asked, and the problems that it learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from srl_swe_envs.errors import ConfigError

from ...config import read_toml
from ...prompts import shown_rounds
from ..trained import best_model, run_record

if TYPE_CHECKING:
    from .run import MathOptions


def with_trained_run(options: MathOptions) -> MathOptions:
    """Options whose `checkpoint:RUN` or `vllm:RUN` names the run's best model; others as they are.

    Raises ConfigError when the run has not ended, learned another domain, or learned from prompts of its own that
    `--prompts` does not name.
    """
    kind, _, place = options.policy.partition(":")
    run = Path(place)
    if kind not in ("checkpoint", "vllm") or not (run / "config.toml").is_file():
        return options
    config = read_toml(run / "config.toml")
    if config.get("data", {}).get("domain") != "math":
        raise ConfigError(f"{run}: not a run on mathematics; name its checkpoint folder to evaluate it all the same")
    prompt = config.get("prompt", {})
    if prompt.get("folder") and options.prompts is None:
        raise ConfigError(f"{run}: it learned from the prompts in {prompt['folder']}; name them with --prompts")
    model = best_model(run)
    math = config.get("math", {})
    layout = math.get("layout", "partial")
    stepwise = prompt.get("merge_steps", 1) and (layout == "turns" or not _made_by_episodes(model))
    return replace(
        options,
        policy=f"{kind}:{model}",
        solve=options.solve or ("steps" if stepwise else "whole"),
        layout=options.layout or layout,
        last_steps=shown_rounds(prompt.get("history", "full")),
        untold_titles=bool(math.get("next_title")),
        learned=_learned(run),
    )


def _made_by_episodes(model: Path) -> bool:
    """Whether a checkpoint is one of the stage `rlvr`, which asks for whole solutions unless steps are turns."""
    return model.parent.name.endswith("-rlvr")


def _learned(run: Path) -> frozenset[str]:
    """Digests of the problems whose steps or answers the run learned."""
    data = run_record(run / "data.json").get("train", {})
    played = [run_record(path) for path in run.glob("*/tasks.json")]
    return frozenset(data.get("tasks", ())).union(*(one.get("tasks", ()) for one in played))

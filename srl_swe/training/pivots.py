"""A stage's pivots, profiled once and kept in its folder: `pivots.json`, and `pivots-RANK.jsonl` while profiling."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accelerate import PartialState

from srl_swe_envs.errors import SrlSweError

from ..conversations import ReplyScorer
from ..learning.batches import StepId
from ..learning.chat_tokens import Trunk
from ..learning.pivots import StepProfile, chunk_number, pivots, profile_steps
from ..learning.rollout.sampler import ReplySampler
from ..learning.settings import PivotSettings
from .folder import write_json
from .ranks import first, is_first, on_cpu, wait


def pivot_trunks(
    folder: Path,
    model: Any,
    trunks: tuple[Trunk, ...],
    sampler: ReplySampler,
    scorer: ReplyScorer,
    settings: PivotSettings,
    *,
    seed: int,
) -> tuple[Trunk, ...]:
    """The trunks with their pivots alone. Ranks share the profiling; one that was interrupted goes on.

    Raises SrlSweError when no step is a pivot.
    """
    state = PartialState(cpu=on_cpu())
    left = _left(trunks, _read(folder))
    wait()  # before any rank adds to what the others read
    mine = left[state.process_index :: state.num_processes]
    with (folder / f"pivots-{state.process_index}.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that a kill cut off
        for profiles in profile_steps(model, trunks, mine, sampler, scorer, settings, seed=seed):
            file.write("".join(json.dumps(_line(profile)) + "\n" for profile in profiles))
            file.flush()
    wait()
    found = list(_read(folder).values())
    verdicts = Counter(profile.verdict(settings) for profile in found)
    said = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    chosen = pivots(trunks, found, settings)
    first(lambda: write_json(folder / "pivots.json", {"settings": asdict(settings), "steps": dict(verdicts)}))
    if is_first():
        print(f"pivots: {said}", flush=True)
    if not chosen:
        raise SrlSweError(
            f"no step is a pivot ({said}): start from a model that knows the reply format, or widen "
            "srl.pivots.solved, srl.pivots.hopeless and srl.pivots.min_std"
        )
    return chosen


def _left(trunks: tuple[Trunk, ...], known: Mapping[StepId, StepProfile]) -> list[int]:
    """Chunks of trunks some of whose steps have no profile yet."""
    done = Counter(step.trunk for step in known)
    unknown = (number for number, trunk in enumerate(trunks) if done[number] < len(trunk.targets))
    return sorted({chunk_number(number) for number in unknown})


def _line(profile: StepProfile) -> dict[str, Any]:
    figures = {name: None if value != value else value for name, value in asdict(profile).items()}  # JSON has no NaN
    return {**figures, "step": [profile.step.trunk, profile.step.target]}


def _read(folder: Path) -> dict[StepId, StepProfile]:
    """Profiles so far, in the order of their steps."""
    found = (profile for path in folder.glob("pivots-*.jsonl") for profile in _profiles(path))
    return {profile.step: profile for profile in sorted(found, key=lambda profile: profile.step)}


def _profiles(path: Path) -> Iterator[StepProfile]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            values = json.loads(line)
        except ValueError:  # empty, or cut off by a kill
            continue
        trunk, target = values.pop("step")
        figures = {name: math.nan if value is None else value for name, value in values.items()}
        yield StepProfile(step=StepId(trunk=trunk, target=target), **figures)

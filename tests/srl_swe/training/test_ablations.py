"""Every ablation of the paper is a matter of configuration: each trains a step of both stages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from srl_swe.cli import main
from srl_swe.config import load_config
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe.training.scorers import load_scorer
from srl_swe.training.settings import RewardSettings, RunSettings
from srl_swe.training.swe_data import SweData


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with random weights, which none of these runs is about."""
    folder = tmp_path_factory.mktemp("models") / "start"
    texts = ["<think>look</think>", "<function=bash><parameter=command>ls</parameter></function>", "file0.py is wrong"]
    make_tiny_model(folder, texts, TinyModel(vocabulary=300, hidden=48, layers=2, heads=2), seed=0)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        ["reward.scorer=tokens"],
        ["reward.scorer=structured"],
        ["reward.scorer=edit_effect"],
        ["reward.wrapper=true", "reward.autojunk=true"],
        ["reward.scorer=embedding", "reward.embedding_model=start"],
        ["prompt.merge_steps=2", "prompt.include_last=true"],
        ["prompt.merge_steps=0", "reward.scorer=tokens"],
        ["srl.dynamic_sampling=false"],
        ["prompt.history=last:1"],
    ],
    ids=" ".join,
)
def test_every_ablation_trains_from_its_configuration(workdir: Path, start: Path, change: list[str]) -> None:
    shutil.copytree(start, workdir / "start")
    quick = ["model.path=start", "srl.max_steps=1", "srl.epsilon=0", "sft.max_steps=1"]
    settings = [part for value in [*quick, *change] for part in ("--set", value)]
    assert main(["train", str(workdir / "run.toml"), "--out", str(workdir / "out"), *settings]) == 0
    summary = json.loads((workdir / "out/summary.json").read_text())
    assert [stage["name"] for stage in summary["stages"]] == ["start", "sft", "srl"]
    steps = 1 if "prompt.merge_steps=0" in change else 2
    assert summary["stages"][0]["heldout"]["steps"] == 2 * steps
    update = json.loads((workdir / "out/2-srl/metrics.jsonl").read_text().splitlines()[0])
    if "srl.dynamic_sampling=false" in change:
        assert update["sampling/kept"] == update["sampling/groups"] > 0
    else:  # the start's replies are all malformed
        assert update["sampling/kept"] < update["sampling/groups"]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (RewardSettings(), "characters"),
        (RewardSettings(autojunk=True), "characters_autojunk"),
        (RewardSettings(wrapper=True), "characters_wrapper"),
        (RewardSettings(autojunk=True, wrapper=True), "characters_autojunk_wrapper"),
        (RewardSettings(scorer="tokens"), "tokens"),
        (RewardSettings(scorer="structured"), "structured"),
        (RewardSettings(scorer="edit_effect"), "edit_effect"),
        (RewardSettings(scorer="embedding", embedding_model="start"), "embedding"),
    ],
)
def test_the_scorer_that_compares_is_the_configurations(start: Path, settings: RewardSettings, name: str) -> None:
    assert load_scorer(settings, start.parent).name == name


def test_what_a_step_is_and_shows_is_the_configurations(workdir: Path) -> None:
    changes = ("prompt.history=last:1", "prompt.merge_steps=2", "prompt.include_last=true")
    found = SweData(load_config(RunSettings, workdir / "run.toml", (*changes, "prompt.observation_chars=77")), workdir)
    steps = found.steps
    assert (steps.last_rounds, steps.merge, steps.include_last) == (1, 2, True)
    assert (steps.prompts.observation_chars, steps.prompts.several, found.scorer.merge) == (77, True, 2)

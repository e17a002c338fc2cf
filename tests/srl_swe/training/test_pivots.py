"""A run that learns pivots alone: profiled once, kept in the run, taken up after a kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from srl_swe.cli import main
from srl_swe.config import load_config
from srl_swe.learning.models import load_model
from srl_swe.learning.rollout.generated import GenerateSampler
from srl_swe.learning.settings import PivotSettings, RolloutSettings
from srl_swe.training.data import load_data, tokenize
from srl_swe.training.pivots import pivot_trunks
from srl_swe.training.settings import RunSettings


def train(workdir: Path, *overrides: str, out: str = "out") -> int:
    settings = [part for override in overrides for part in ("--set", override)]
    return main(["train", str(workdir / "run.toml"), "--out", str(workdir / out), *settings])


def test_srl_learns_the_pivots_of_its_start(workdir: Path, capsys: Any) -> None:
    chosen = ["srl.pivots.enabled=true", "srl.pivots.replies=3", "srl.max_steps=3", "srl.pivots.min_std=0.001"]
    assert train(workdir, *chosen) == 0
    assert "pivots: " in capsys.readouterr().out
    folder = workdir / "out/2-srl"
    verdicts = json.loads((folder / "pivots.json").read_text())["steps"]
    assert sum(verdicts.values()) == 6 * 2
    profiles = [json.loads(line) for line in (folder / "pivots-0.jsonl").read_text().split("\n") if line]
    kept = {
        f"t{trunk}#{target}" for trunk, target in (profile["step"] for profile in profiles if profile["std"] > 0.001)
    }
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    learned = {sample["group"] for sample in samples if sample["kind"] == "train"}
    assert 0 < verdicts["kept"] <= len(kept) < 12
    assert learned
    assert learned <= kept
    assert not list((workdir / "out/1-sft").glob("pivots*"))


def test_a_start_without_pivots_says_so(workdir: Path, capsys: Any) -> None:
    untrained = ['stages=["srl"]', "srl.pivots.enabled=true", "srl.pivots.replies=2", "rollout.max_reply_tokens=4"]
    assert train(workdir, *untrained) == 1
    said = capsys.readouterr().err
    assert "no step is a pivot (12 hopeless)" in said
    assert len(said.strip().splitlines()) == 1


def test_profiling_that_was_killed_goes_on_and_ends_the_same(workdir: Path) -> None:
    assert train(workdir, 'stages=["sft"]', "sft.max_steps=40", "sft.evaluate_every=40") == 0
    settings = load_config(RunSettings, workdir / "run.toml")
    data = load_data(settings, workdir)
    start = json.loads((workdir / "out/summary.json").read_text())["model"]
    loaded = load_model(start, dtype="float32")
    trunks = tokenize(data.train, loaded.chat, 4096)
    sampler = GenerateSampler(chat=loaded.chat, settings=RolloutSettings(max_reply_tokens=24))
    wide = PivotSettings(enabled=True, replies=2, min_std=-1.0, solved=2.0, hopeless=-2.0)
    whole, cut = workdir / "whole", workdir / "cut"
    whole.mkdir()
    found = pivot_trunks(whole, loaded.model, trunks, sampler, data.scorer, wide, seed=0)
    assert found == trunks
    shutil.copytree(whole, cut)
    text = (whole / "pivots-0.jsonl").read_text()
    (cut / "pivots-0.jsonl").write_text(text[: len(text) // 2])
    assert pivot_trunks(cut, loaded.model, trunks, sampler, data.scorer, wide, seed=0) == trunks
    after = (cut / "pivots-0.jsonl").read_text().splitlines()
    assert {line for line in after if line.endswith("}")} == {line for line in text.splitlines() if line}

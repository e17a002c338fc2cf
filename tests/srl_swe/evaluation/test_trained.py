from __future__ import annotations

import json
from pathlib import Path

import pytest

from srl_swe.evaluation.contamination import contamination
from srl_swe.evaluation.items import load_items
from srl_swe.evaluation.options import Options
from srl_swe.evaluation.trained import with_trained_run
from srl_swe_envs.errors import ConfigError


def options(run: Path) -> Options:
    return Options(tasks="demo:heldout", policy=f"checkpoint:{run}", protocol="agent", out=run / "evaluation")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What a training run leaves, moved to another place since."""
    folder = tmp_path / "moved"
    model = folder / "2-srl/checkpoint-20"
    model.mkdir(parents=True)
    (folder / "config.toml").write_text('[prompt]\ndialect = "fence"\n')
    (folder / "summary.json").write_text(json.dumps({"model": "somewhere/demo/2-srl/checkpoint-20"}))
    return folder


def test_a_run_s_folder_stands_for_its_best_model_its_dialect_and_its_data(run: Path) -> None:
    found = with_trained_run(options(run))
    assert found.policy == f"checkpoint:{run / '2-srl/checkpoint-20'}"
    assert found.model.dialect == "fence"
    assert found.trained_in == run


def test_what_it_is_shown_of_observations_and_history_is_what_it_was_trained_on(run: Path) -> None:
    found = with_trained_run(options(run))
    assert (found.observation_chars, found.last_rounds) == (16000, None)
    (run / "config.toml").write_text('[prompt]\nhistory = "last:2"\nobservation_chars = 500\n')
    found = with_trained_run(options(run))
    assert (found.observation_chars, found.last_rounds) == (500, 2)
    assert found.record()["last_rounds"] == 2


def test_a_checkpoint_s_folder_is_taken_as_it_is(run: Path) -> None:
    given = options(run / "2-srl/checkpoint-20")
    assert with_trained_run(given) is given


def test_a_run_that_has_not_ended_is_refused(run: Path) -> None:
    (run / "summary.json").unlink()
    with pytest.raises(ConfigError, match="has not ended"):
        with_trained_run(options(run))


def test_prompts_of_one_s_own_must_be_named(run: Path) -> None:
    (run / "config.toml").write_text('[prompt]\nfolder = "mine"\n')
    with pytest.raises(ConfigError, match="--prompts"):
        with_trained_run(options(run))


def test_contamination_names_what_the_run_learned_from(run: Path) -> None:
    items = load_items("demo:heldout", {}, limit=3)
    learned = {"used": 7, "tasks": [items[1].task.id, "other"], "repositories": [items[0].task.repo, "other"]}
    (run / "data.json").write_text(json.dumps({"train": learned}))
    found = contamination(run, items)
    assert found["trajectories"] == 7
    assert found["tasks"] == [items[1].task.id]
    assert found["repositories"] == [items[0].task.repo]


def test_contamination_names_the_tasks_of_episodes_too(run: Path) -> None:
    items = load_items("demo:heldout", {}, limit=3)
    (run / "data.json").write_text(json.dumps({"train": {"used": 0, "tasks": [], "repositories": []}}))
    (run / "3-rlvr").mkdir()
    (run / "3-rlvr/tasks.json").write_text(json.dumps({"tasks": [items[2].task.id], "repositories": ["other"]}))
    assert contamination(run, items)["tasks"] == [items[2].task.id]


def test_a_run_without_that_record_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.json"):
        contamination(run, load_items("demo:heldout", {}, limit=1))

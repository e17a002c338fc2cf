"""The learning study's report says what its files say, and its pieces cover every arm once."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.study.arms import ARMS, CURVE, DOMAINS, EXPERTS, SEEDS, UPDATES, Cell, arms, piece
from benchmarks.study.experts import START_PACKAGES, write_experts
from benchmarks.study.report import Results, curve, difference, page, success, verdict
from srl_swe.intervals import mean_estimate
from srl_swe_envs.trajectories import read_trajectories


def keep(folder: Path, cell: Cell, value: float, reward: float | None = 0.5) -> None:
    """A file of figures as a cell leaves it."""
    names = ("reward", "greedy_reward", "similarity", "malformed")
    heldout = None if reward is None else dict.fromkeys(names, reward)
    signal = {"groups": 8.0, "kept": 1.0} if "rlvr" in cell.arm else {}
    outcome = {"success": value, "tasks": 12, "empty_patches": 0.25}
    found = {
        "domain": cell.domain, "arm": cell.arm, "experts": cell.experts, "seed": cell.seed, "share": 1.0,
        "train_cpu_s": 100.0, "signal": signal, "heldout": heldout, "outcome": outcome,
    }  # fmt: skip
    (folder / f"{cell.name}.json").write_text(json.dumps(found))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    for seed in SEEDS:
        for cell in (*piece("swe", seed), *piece("math", seed)):
            rises = {"srl": 0.2, "srl_rlvr": 0.3}.get(cell.arm, 0.1)
            keep(tmp_path, cell, rises + 0.01 * seed, None if cell.arm == "one_step" else rises - 0.02 * seed)
    return Results(tmp_path)


def test_every_arm_and_size_is_in_every_piece_once() -> None:
    for domain in DOMAINS:
        mine = piece(domain, 3)
        assert len(mine) == len({cell.name for cell in mine})
        assert {cell.domain for cell in mine} == {domain}
        assert {cell.arm for cell in mine} == {"start", *(arm.name for arm in arms(domain))}
        for arm in ("sft", "srl"):
            assert sorted(cell.experts for cell in mine if cell.arm == arm) == sorted(CURVE)
        assert EXPERTS[domain] in CURVE


def test_a_pipelines_stages_share_the_updates_of_one_stage_alone() -> None:
    pipeline = next(arm for arm in ARMS if arm.name == "srl_rlvr")
    updates = pipeline.updates("swe", 1.0)
    assert updates == {stage: UPDATES["swe"][stage] // 2 for stage in ("srl", "rlvr")}


def test_families_have_no_package_in_common_and_draws_follow_the_seed(tmp_path: Path) -> None:
    start = list(read_trajectories(write_experts("swe", tmp_path, count=0, seed=0)))
    first = list(read_trajectories(write_experts("swe", tmp_path, count=25, seed=0)))
    other = list(read_trajectories(write_experts("swe", tmp_path, count=25, seed=1)))
    assert {one.task.repo for one in start} == set(START_PACKAGES)
    assert not {one.task.repo for one in start} & {one.task.repo for one in first}
    assert len(first) == len(other) == 25
    assert [one.id for one in first] != [one.id for one in other]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.1, 0.11, 0.12], "holds"),
        ([-0.1, -0.11, -0.12], "contradicted"),
        ([0.1, -0.1, 0.0], "not shown"),
        ([0.1], "not enough seeds"),
        ([0.0, 0.0, 0.0], "not shown"),
    ],
)
def test_a_verdict_needs_its_whole_interval_on_one_side(values: list[float], said: str) -> None:
    assert verdict(mean_estimate(values)) == said


def test_differences_are_paired_by_seed(results: Results) -> None:
    found = difference(results.of("swe", "srl"), results.of("swe", "sft"), success)
    assert found.value == pytest.approx(0.1)
    assert found.high - found.low == pytest.approx(0.0, abs=1e-9)  # what a seed adds to both is no difference


def test_the_page_has_every_arm_and_a_verdict_on_every_claim(results: Results) -> None:
    text = page("<!-- state -->\n<!-- table swe -->\n<!-- table math -->\n<!-- verdicts -->", results, results)
    assert text.startswith("All 145 runs of 5 seeds are in.")
    assert all(f"| {arm.title} |" in text for arm in ARMS)
    assert "SRL beats SFT on the same data | swe | 0.100 ± 0.000 | holds |" in text
    assert "5 of 40 groups" in text
    assert "(5 of 40 groups with any deviation) | swe | 0.000 ± 0.000 | not shown |" in text  # there was a signal
    assert "<!--" not in text


def test_the_curve_is_an_image_with_a_mark_for_every_size(results: Results) -> None:
    root = ElementTree.fromstring(curve(results, "math"))
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) == 3 * len(CURVE)


def test_a_study_that_has_just_begun_has_a_page_too(tmp_path: Path) -> None:
    keep(tmp_path, Cell(domain="math", arm="srl", experts=100, seed=0), 0.2)
    results = Results(tmp_path)
    assert "not enough seeds" in page("<!-- verdicts -->", results, results)
    assert "1 of 145 runs" in page("<!-- state -->", results, results)
    assert curve(results, "swe") == ""

"""What a sweep file means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srl_swe.sweep.settings import SweepSettings, cells, flattened, read_sweep
from srl_swe.sweep.table import Row, markdown_table, rows_record, text_table
from srl_swe_envs.errors import ConfigError

SWEEP = """\
base = "run.toml"
seeds = [3, 4]
[set]
sft.batch = 2
[grid]
reward.scorer = ["characters", "tokens"]
[rows.plain]
[rows.one_step]
prompt.merge_steps = 0
"""


def read(tmp_path: Path, text: str) -> SweepSettings:
    (tmp_path / "sweep.toml").write_text(text)
    return read_sweep(tmp_path / "sweep.toml")


def test_every_row_meets_every_grid_point_and_seed(tmp_path: Path) -> None:
    found = cells(read(tmp_path, SWEEP))
    assert len(found) == 2 * 2 * 2
    assert found[0].row == 'plain reward.scorer="characters"'
    assert found[-1].overrides == ("sft.batch=2", "prompt.merge_steps=0", 'reward.scorer="tokens"', "seed=4")
    assert len({cell.folder for cell in found}) == len(found)


def test_a_cells_folder_depends_on_its_values_not_on_the_files_order(tmp_path: Path) -> None:
    before = {cell.overrides: cell.folder for cell in cells(read(tmp_path, SWEEP))}
    turned = SWEEP.replace("[rows.plain]\n", "").replace("seeds = [3, 4]", "seeds = [9, 4, 3]") + "[rows.plain]\n"
    after = {cell.overrides: cell.folder for cell in cells(read(tmp_path, turned))}
    assert before.items() <= after.items()
    several = 'base = "run.toml"\n[set]\n{}\n{}\n'
    keys = "sft.batch = 2", "sft.max_steps = 3"
    one, other = (cells(read(tmp_path, several.format(*order))) for order in (keys, keys[::-1]))
    assert [cell.folder for cell in one] == [cell.folder for cell in other]


def test_keys_may_be_dotted_quoted_or_nested() -> None:
    assert flattened({"a": {"b": [1], "c": {"d": 2}}, "a.e": 3}) == {"a.b": [1], "a.c.d": 2, "a.e": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [1]", "needs a value for base"),
        ('base = "x"\nseedz = [1]', "did you mean 'seeds'"),
        ('base = "x"\nseeds = []', "one or more different whole numbers"),
        ('base = "x"\nseeds = [1, 1]', "one or more different whole numbers"),
        ('base = "x"\n[grid]\nsrl.replies = 4', "grid.srl.replies: a list of values"),
        ('base = "x"\n[rows]\na = 4', "rows.a: a table of keys"),
        ('base = "x"\ngrid = [1]', "grid: a table is expected"),
    ],
)
def test_a_wrong_sweep_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


def test_a_value_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two rows"):
        cells(read(tmp_path, 'base = "x"\n[grid]\nsrl.replies = [4, 4]\n'))


def rows() -> list[Row]:
    def figures(*rewards: float) -> dict[int, Any]:
        return {seed: {"reward": reward, "malformed": 0.5} for seed, reward in enumerate(rewards)}

    return [Row(name="first", by_seed=figures(0.1, 0.2, 0.3)), Row(name="second", by_seed=figures(0.2, 0.3), failed=1)]


def test_the_table_has_means_intervals_and_differences_paired_by_seed() -> None:
    first, second = rows_record(rows())
    assert first["heldout"]["reward"]["value"] == pytest.approx(0.2)
    assert first["heldout"]["reward"]["high"] == pytest.approx(0.2 + 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert second["reward_over_first_row"]["value"] == pytest.approx(0.1)
    assert second["reward_over_first_row"]["low"] == pytest.approx(0.1)
    assert "0.200 ± 0.248" in text_table(rows())
    assert "| second | 0.250 ± 0.635 | 0.500 ± 0.000 | 2 (1 failed) | +0.100 ± 0.000 |" in markdown_table(rows())


def test_a_sweep_in_which_nothing_is_done_yet_has_a_table_all_the_same() -> None:
    assert "nothing" in text_table([Row(name="nothing", by_seed={})])

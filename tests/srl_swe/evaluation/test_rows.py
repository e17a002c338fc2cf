"""Rows of both forms: what is read, what is converted, what is refused and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.evaluation.patches import checked_out_files, directives, touched_files
from srl_swe.evaluation.rows import NEW, read_rows, write_rows
from srl_swe.evaluation.specs import read_specs
from srl_swe_envs.errors import ConfigError

from .rowset import record


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in records), encoding="utf-8")
    return path


def old_record(**changes: object) -> dict[str, object]:
    row = record(repo="psf/requests", version="2.27", **changes)
    return {name: value for name, value in row.items() if name not in NEW}


def test_every_old_row_of_verified_converts_to_the_published_new_row(shared_data: Path):
    data = shared_data / "swebench_verified"
    specs = read_specs()
    old = {row.task.id: row for row in read_rows(data / "swebench_verified.jsonl", convert=specs.convert)}
    new = read_rows(data / "verified_v5_rows.jsonl")
    assert len(old) == len(new) == 500
    different = [row.task.id for row in new if old[row.task.id].to_swebench() != row.to_swebench()]
    assert different == []


def test_real_rows_survive_being_written(tmp_path: Path, shared_data: Path):
    rows = read_rows(shared_data / "swebench_verified" / "verified_v5_rows.jsonl")[:40]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows


def test_test_ids_as_a_json_string_are_read_like_a_list(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", record(FAIL_TO_PASS='["tests/add::sum"]'))
    assert read_rows(path)[0].task.fail_to_pass == ("tests/add::sum",)


@pytest.mark.parametrize("name", ["patch", "problem_statement", "FAIL_TO_PASS", "version"])
def test_a_missing_column_is_one_line_with_file_line_task_and_column(tmp_path: Path, name: str):
    broken = record("own__adder-2")
    del broken[name]
    path = write(tmp_path / "rows.jsonl", record(), broken)
    with pytest.raises(ConfigError) as caught:
        read_rows(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:2 (own__adder-2): ")
    assert name in message
    assert "\n" not in message


def test_an_old_row_without_a_converter_says_what_it_lacks(tmp_path: Path):
    with pytest.raises(ConfigError, match="no image, eval_script, log_parser, eval_type: it is an old row"):
        read_rows(write(tmp_path / "rows.jsonl", old_record()))


def test_an_old_row_of_an_unknown_version_names_the_known_ones(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", {**old_record(), "version": "99.9"})
    with pytest.raises(ConfigError, match=r"psf/requests has no specification for version 99\.9; known: .*2\.27"):
        read_rows(path, convert=read_specs().convert)


def test_a_users_specification_adds_a_repository(tmp_path: Path):
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "own.toml").write_text(
        'repo = "own/adder"\nlog_parser = "parse_log_pytest"\n[[version]]\nversions = ["1"]\ntest_command = "bash"\n'
    )
    old = {name: value for name, value in record().items() if name not in NEW}
    (row,) = read_rows(write(tmp_path / "rows.jsonl", old), convert=read_specs([specs]).convert)
    assert "\nbash tests/add\n" in row.eval_script
    assert row.task.image == "swebench/sweb.eval.x86_64.own_1776_adder-1:latest"


def test_a_misspelt_key_in_a_specification_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "own.toml").write_text('repo = "own/adder"\nlog_parsr = "parse_log_pytest"\n')
    with pytest.raises(ConfigError, match=r"own\.toml:2: log_parsr: unknown key; did you mean 'log_parser'"):
        read_specs([tmp_path])


def test_a_task_that_comes_twice_is_refused_with_both_lines(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", record(), record())
    with pytest.raises(ConfigError, match=r"rows\.jsonl:2: own__adder-1 was in .*rows\.jsonl:1 already"):
        read_rows(path)


@pytest.mark.parametrize("text", ["", "\n\n", "[]", '"row"', "{", '{"instance_id": 3}'])
def test_garbage_is_a_config_error(tmp_path: Path, text: str):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_rows(path)


@given(st.text(max_size=400))
def test_no_text_breaks_the_patch_readers(text: str):
    touched_files(text)
    checked_out_files(text)
    directives(text)


def test_a_new_file_is_touched_but_cannot_be_checked_out():
    header = "diff --git a/tests/new.py b/tests/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/tests/new.py\n"
    patch = header + "@@ -0,0 +1 @@\n+x\n"
    assert touched_files(patch) == ("tests/new.py",)
    assert checked_out_files(patch) == ()

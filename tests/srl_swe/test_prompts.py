"""Prompt sets are strict templates."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe.prompts import elide, load_prompts
from srl_swe_envs.dialects import DIALECTS, REASONS
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation

TASK = Task(id="t", problem="It {{ breaks }} on 100 % of days.")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_has_a_whole_prompt_set(dialect: str) -> None:
    prompts = load_prompts(dialect)
    system, user = prompts.opening(TASK)
    assert (system.role, user.role) == ("system", "user")
    assert TASK.problem in user.content
    assert "seen" in prompts.observation(Observation(text="seen", exit_code=1)).content
    assert all(reason in prompts.malformed(reason).content for reason in REASONS)


def test_an_unknown_variable_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    for name in ("system", "observation", "malformed"):
        (tmp_path / f"{name}.md").write_text("x")
    (tmp_path / "task.md").write_text("{{ task.probelm }}")
    (tmp_path / "prompt.toml").write_text("")
    prompts = load_prompts("xml", folder=tmp_path)
    with pytest.raises(ConfigError, match=r"task\.md.*probelm"):
        prompts.opening(TASK)


def test_a_folder_that_lacks_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"system\.md: can't be read"):
        load_prompts("xml", folder=tmp_path)


@given(text=st.text(max_size=200), budget=st.integers(1, 100))
def test_elision_keeps_head_and_tail_and_counts_the_rest(text: str, budget: int) -> None:
    shown = elide(Observation(text=text), budget)
    if len(text) <= budget:
        assert shown.text == text
    else:
        assert shown.elided_chars == len(text) - budget
        assert shown.text.startswith(text[: budget - budget // 2])
        assert shown.text.endswith(text[len(text) - budget // 2 :])

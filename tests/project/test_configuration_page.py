"""The page on configuration is what the settings say, and leaves none of them without a word."""

from __future__ import annotations

from pathlib import Path

from srl_swe.training.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_key_is_explained() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 130
    assert [row[0] for row in rows if not row[-1].removesuffix(" |").strip()] == []

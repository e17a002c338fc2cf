"""What documents say exists: files, links, commands with their flags, keys of the configuration, Python that runs."""

from __future__ import annotations

import argparse
import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from srl_swe.cli import COMMANDS, _parser
from srl_swe.training.settings import RunSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "trajectories/*.md", "agent_prompts/*.md", "containers/*.md")
    for path in ROOT.glob(pattern)
)
NAMED = re.compile(r"(?<![\w./-])(?:benchmarks|docs|examples)/[\w./-]+\.(?:md|py|svg|toml|yaml)\b")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def tracked() -> Iterator[Path]:
    """All text files of the repository where a path may be named."""
    named = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in named.splitlines():
        if name.endswith((".md", ".py", ".toml", ".sh", "Makefile")):
            yield ROOT / name


def commands() -> Iterator[tuple[str, str, str]]:
    """Commands in code blocks and backticks: the document, the command, and what stands after its name."""
    for document in DOCUMENTS:
        text = text_of(document).replace("\\\n", " ")
        for found in re.finditer(r"srl-swe ([a-z][a-z-]+)([^\n`]*)", text):
            in_block = text[: found.start()].count("```") % 2
            if in_block or text[found.start() - 1] == "`":
                yield str(document.relative_to(ROOT)), found[1], found[2]


def flags_of(command: str) -> set[str]:
    (choices,) = (a.choices for a in _parser(command)._actions if isinstance(a, argparse._SubParsersAction))
    parsers, flags = [choices[command]], set()
    while parsers:
        for action in parsers.pop()._actions:
            flags.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                parsers.extend(action.choices.values())
    return flags


def keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all tables and values of a configuration."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield prefix + field.name
        inner = hints[field.name]
        for part in (inner, *getattr(inner, "__args__", ())):
            if dataclasses.is_dataclass(part):
                yield from keys(part, f"{prefix}{field.name}.")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", text_of(document)):
        if not link.startswith("http"):
            assert (document.parent / link).exists(), link


def test_files_that_are_named_exist() -> None:
    missing = [
        (str(path.relative_to(ROOT)), name)
        for path in tracked()
        for name in NAMED.findall(text_of(path))
        if not (ROOT / name).exists()
    ]
    assert not missing


def test_commands_have_the_flags_that_documents_give_them() -> None:
    checked = 0
    for document, command, rest in commands():
        assert command in COMMANDS, f"{document}: srl-swe {command}"
        given = set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", rest))
        assert given <= flags_of(command), f"{document}: srl-swe {command}: {given - flags_of(command)}"
        checked += len(given)
    assert checked > 20


def test_keys_that_documents_name_are_in_the_configuration() -> None:
    known = set(keys(RunSettings))
    tables = {name for name in known if "." not in name}
    named = [
        (str(document.relative_to(ROOT)), key)
        for document in DOCUMENTS
        for key in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)(?: ?=[^`]*)?`", text_of(document))
        if key.partition(".")[0] in tables and not key.endswith((".json", ".jsonl", ".toml", ".md"))
    ]
    assert len(named) > 30
    assert not [(document, key) for document, key in named if key not in known]


def test_the_readmes_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", text_of(ROOT / "README.md"), re.S)
    assert len(blocks) == 2
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=ROOT, check=True, capture_output=True)
